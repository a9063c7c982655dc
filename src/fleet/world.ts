import type { Home } from "../contract/home.ts";
import type { Terminal } from "../contract/terminal.ts";
import type { Search } from "../harness/harness.ts";
import type { LogLine } from "../lib/log.ts";
import type { Supervisor } from "../supervisor/supervisor.ts";

/** Everything outside that the use cases act on, made once in main.ts. */
export interface World {
  home: Home;
  terminal: Terminal;
  supervisor: Supervisor;
  search: Search;
  now: () => number;
  host: string;
  uid: number;
  /** Seconds between beats, by the environment. */
  beatIntervalS: number;
  /** The person's environment, already reduced to what an agent may have. */
  agentEnv: Readonly<Record<string, string>>;
  assets: { piExtension: string; codexOpener: string; presets: string };
  /** The file that Node runs as `mosaic`. */
  entry: string;
  log: (line: Omit<LogLine, "at">) => void;
}
