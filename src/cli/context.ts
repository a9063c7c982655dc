import type { Asker, FleetControl } from "../contract/command.ts";
import type { Connections } from "../contract/connector.ts";
import type { ConsoleDoor } from "../contract/console.ts";
import type { World } from "../fleet/world.ts";

/** Everything a verb may touch. Verbs parse, call and print; they hold no rules and read no environment. */
export interface Context {
  world: World;
  control: FleetControl;
  /** Who types: a person, or the agent in whose terminal this runs. */
  by: Asker;
  /** Data, for programs and pipes. */
  out: (text: string) => void;
  /** Words for people. */
  err: (text: string) => void;
  /** Progress of anything long: shown to a person at a terminal, and to nobody else. */
  progress: (line: string) => void;
  stdin: NodeJS.ReadStream;
  color: boolean;
  /** True where both ends are a terminal, so that questions can be asked. */
  interactive: boolean;
  columns: number;
  /** Aborts at Ctrl-C. Asking for it takes Ctrl-C over, so only a verb that minds it may look. */
  readonly signal: AbortSignal;
  cwd: string;
  version: string;
  /** Runs the daemon in this process until it is told to end. */
  serve: () => Promise<void>;
  /** What systemd's units call. */
  unit: (what: "begin" | "end", name: string) => Promise<number>;
  /** Tells the person something in the chat, in the asker's name. */
  report: (said: { text: string; file: string | undefined }) => Promise<{ chats: number }>;
  /** A variable of the person's environment, where a flag names one. */
  variable: (name: string) => string | undefined;
  /** The fleet's accounts at chat services. */
  connections: () => Promise<Connections>;
  /** The daemon, started where it is not up. */
  daemon: () => Promise<{ control: FleetControl; console: ConsoleDoor }>;
  isDaemonUp: () => Promise<boolean>;
  /** Runs that program in this terminal, and answers its exit code. */
  run: (argv: readonly [string, ...string[]]) => Promise<number>;
  /** Becomes that program: nothing of mosaic is left behind to leak. */
  become: (argv: readonly [string, ...string[]]) => Promise<number>;
}
