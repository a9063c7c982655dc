/** Which harness an agent uses. */
export const runtimes = ["claude", "pi", "codex", "opencode", "command"] as const;
export type Runtime = (typeof runtimes)[number];
/** Those that are an agent by themselves; what a `command` runs only a roster can say. */
export const harnesses = runtimes.filter((runtime) => runtime !== "command");

export const roles = ["orchestrator", "worker"] as const;
type Role = (typeof roles)[number];

/** What an agent may do without asking: look, change files in its work folder, or anything its user may. */
export const permissionFloors = ["read", "edit", "full"] as const;
type PermissionFloor = (typeof permissionFloors)[number];

/** When the supervisor starts an agent again that ended by itself. */
export const restartRules = ["always", "on-failure", "never"] as const;
type RestartRule = (typeof restartRules)[number];

/** What an agent may use of the machine, as systemd spells it. Kept by systemd only. */
export interface Limits {
  memory?: string | undefined;
  cpu?: string | undefined;
  tasks?: number | undefined;
}

/** One agent of a roster with every default filled in and every path absolute. */
export interface Agent {
  name: string;
  role: Role;
  runtime: Runtime;
  model: string | undefined;
  workdir: string;
  prompt: string | undefined;
  command: readonly string[] | undefined;
  /** Further arguments for the harness's own command line. */
  args: readonly string[];
  env: Readonly<Record<string, string>>;
  /** Names of variables whose values lie in the secrets folder. */
  secrets: readonly string[];
  permissions: PermissionFloor;
  restart: RestartRule;
  limits: Limits | undefined;
}

/** A name is safe as a file, a tmux target, a unit and a chat word. */
export const namePattern = /^[a-z][a-z0-9-]{0,31}$/;
