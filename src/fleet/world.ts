import type { Home } from "../contract/home.ts";
import type { Terminal } from "../contract/terminal.ts";
import type { Search } from "../harness/harness.ts";
import type { LogLine } from "../lib/log.ts";
import type { Supervisor, SupervisorKind, Units } from "../supervisor/supervisor.ts";
import type { UserSystemd } from "../supervisor/systemd/systemctl.ts";
import type { Installation } from "../supervisor/systemd/unit-text.ts";

/** Everything outside that the use cases act on, made once in main.ts. */
export interface World {
  home: Home;
  terminal: Terminal;
  units: Units;
  supervisors: Readonly<Record<SupervisorKind, Supervisor>>;
  /** Where the person's own systemd would be. */
  systemd: UserSystemd;
  search: Search;
  now: () => number;
  host: string;
  uid: number;
  /** The person's login. */
  user: string;
  /** Seconds between beats, by the environment. */
  beatIntervalS: number;
  /** The person's environment, already reduced to what an agent may have. */
  agentEnv: Readonly<Record<string, string>>;
  assets: { piExtension: string; codexOpener: string; presets: string };
  /** The file that Node runs as `mosaic`. */
  entry: string;
  /** The environment of mosaic's own background processes: the person's, as far as an agent may have it, and ours. */
  ownEnv: Readonly<Record<string, string>>;
  /** True where an agent calls: its environment is its own, and not the fleet's. */
  byAgent: boolean;
  /** What systemd's units say of this installation. */
  installation: () => Installation;
  log: (line: Omit<LogLine, "at">) => void;
}
