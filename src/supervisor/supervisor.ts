import type { Limits } from "../contract/agent.ts";

/** `systemd`: user units. `builtin`: our own daemon, where there is no systemd. */
export type SupervisorKind = "builtin" | "systemd";

/** How one agent's unit stands: what was asked, what is, and what happened. */
export interface UnitView {
  /** What was last asked for; `never` where it was never started. */
  wanted: "up" | "down" | "never";
  /** Which supervisor keeps it; undefined where none has started it yet. */
  by: SupervisorKind | undefined;
  process: "alive" | "frozen" | "none";
  /** The agent's own process, the last one known. */
  pid: number | undefined;
  /** When that process began, in ms since 1970. */
  since: number | undefined;
  /** How often it was started again by itself. */
  restarts: number;
  /** The agent's own last exit code, and when. */
  exit: { code: number; at: number } | undefined;
  /** A launch is under way, and has not said yet which process it is. */
  launching?: boolean;
  /** When the next try is due, where it waits for one. */
  nextAt: number | undefined;
  /** Set when it crashed too often and is held until a person starts it again. */
  quarantined: { at: number; why: string } | undefined;
  /** False where the record could not be read: then nothing can be said. */
  readable: boolean;
}

/** What a supervisor needs to know to keep one agent alive. */
export interface Unit {
  name: string;
  /** The launch script's text; it runs in the agent's terminal. */
  script: string;
  cwd: string;
  restart: "always" | "on-failure" | "never";
  limits?: Limits | undefined;
}

/** Every unit's files, which are the same whichever supervisor keeps it. */
export interface Units {
  /** Makes the unit known, or replaces what was known. Starts nothing. */
  install(unit: Unit): Promise<void>;
  /** Reads only; costs no child process whatever the number. */
  observe(names: readonly string[]): Map<string, UnitView>;
  /** Names of every unit ever installed and not removed. */
  known(): string[];
  /** Forgets a stopped unit and its record. */
  remove(name: string): Promise<void>;
}

/**
 * What keeps agents alive. Two implementations must pass the one contract suite (supervisor-suite.ts): `builtin`, and
 * systemd user units.
 */
export interface Supervisor {
  readonly kind: SupervisorKind;
  /** Starts it and clears a quarantine; answers `already` where it runs. Returns when the process exists. */
  start(name: string): Promise<"started" | "already">;
  /**
   * Stops it and keeps it stopped. `ask` tells the agent to save and end; after `graceMs` it is ended by signal.
   * Nothing of the agent is left when it returns.
   */
  stop(name: string, how: { ask: () => Promise<void>; graceMs: number }): Promise<"stopped" | "already">;
  /** Looks at its units once, mends what it can, and says how many it has to look after. The daemon calls it again and again. */
  reconcile(): Promise<number>;
}
