import type { Agent, Runtime } from "../contract/agent.ts";
import type { Question, Receipt } from "../contract/command.ts";
import type { AgentPlace } from "../contract/home.ts";
import type { AgentState } from "../contract/state.ts";
import type { Terminal } from "../contract/terminal.ts";

/** A harness's CLI as found on this machine. */
export interface Found {
  /** The file to run. */
  path: string;
  version: string | undefined;
}

/** Where to look for CLIs, and which Node runs those that are Node programs. */
export interface Search {
  path: string;
  node: string;
}

/** What an adapter is handed for one agent. Paths and interval were computed elsewhere, once. */
export interface Desk {
  agent: Agent;
  fleet: string;
  place: AgentPlace;
  beat: { path: string; intervalS: number };
  terminal: Terminal;
  /** What the agent has of the person's environment and of the roster's: a CLI's own folders are found by it. */
  env: Readonly<Record<string, string>>;
  node: string;
  /** The `mosaic` that works inside the agent. */
  mosaic: string;
  /** Files that ship with the product. */
  assets: { piExtension: string; codexOpener: string };
}

/** What the launch wrapper is to run. */
interface Launch {
  argv: readonly [string, ...string[]];
  env: Readonly<Record<string, string>>;
  sessionId: string | undefined;
}

/** The harness's own word about itself; `silent` where something listens and does not answer. */
export type Answer =
  | {
      kind: "state";
      state: AgentState;
      at: number;
      pid: number;
      session?: string;
      model?: string;
      version?: string;
      /** What it waits for, or what failed, in the harness's own words. */
      why?: string;
      /** When a limit ends, in ms since 1970, where the provider has said so. */
      until?: number;
      /** How full its context is, in percent. */
      context?: number;
      /** It takes messages though it waits: only a subagent of its does. */
      takes?: true;
    }
  | { kind: "silent"; waitedMs: number }
  | { kind: "absent" };

/** What this adapter can do with the installed version; what is missing is said, not pretended. */
interface Capabilities {
  /** Its own word that a message entered the conversation. */
  receipts: boolean;
  /** Its own word about what it is doing. */
  nativeState: boolean;
  steer: boolean;
  resume: boolean;
  transcript: boolean;
  /** It beats by itself. */
  beats: boolean;
  /** Messages are typed into its terminal, as there is no better way in; refused where that would disturb somebody. */
  typed?: true;
}

/** One line of what was said in an agent's conversation. */
export interface Said {
  who: "user" | "agent" | "tool";
  at: string | undefined;
  text: string;
}

/** Something that an agent may do only once it is allowed to: what its own dialog asks. */
export interface Permission {
  /** Null where only its own terminal can answer it. */
  id: string | null;
  /** The command, or what it is about, in the harness's own words. */
  what: string;
  cwd: string | undefined;
  /** Why the agent wants to. */
  reason: string | undefined;
  /** Since when it waits, in ms. */
  at: number;
  /** Where it asks for an answer and not to be allowed something. */
  questions?: readonly Question[];
}

/** `next`: at the turn's end, or wherever the harness reads next; `steer`: into the running turn. */
export type SubmitMode = "next" | "steer";

/** A message as an adapter gets it. */
export interface Handed {
  id: string;
  text: string;
  mode: SubmitMode;
  /**
   * `owner`: the words of the person whose fleet this is, as if typed in its terminal. Where a harness tells messages from
   * its user's words, its adapter makes good for these and for no others.
   */
  authority?: "owner" | undefined;
}

/** What became of a message, by the harness's own record (its transcript): it is in there once it has a trace. */
export interface Trace {
  /** When it entered the conversation. */
  at?: number;
  /** The agent has begun to work on it. */
  acted: boolean;
  /** How the turn ended that it caused or joined; undefined while it runs. */
  end?: { kind: "answered"; text: string; at?: number } | Broken;
}

/** A turn that gave no answer. `cut`: its process ended under it; nobody meant it to end. */
export interface Broken {
  kind: "broken";
  why: string;
  cut?: true;
}

/** The adapter for one CLI. Every harness has this shape. */
export interface Harness {
  readonly runtime: Runtime;
  readonly capabilities: Capabilities;
  /** What it can do as it runs now, where that depends on its version. */
  capabilitiesOf?(desk: Desk): Capabilities;
  /** The CLI's file, or undefined where it is not installed. Starts nothing. */
  locate(agent: Pick<Agent, "command"> | undefined, search: Search): string | undefined;
  /** The version that the CLI names; undefined where it names none. Starts it once. */
  version(path: string, search: Search): Promise<string | undefined>;
  /** What of the CLI's own protocol the installed version lacks, where it can say so. Starts it once. */
  lacks?(path: string, search: Search): Promise<string[]>;
  /** How to get the CLI, as a line to type. */
  readonly install: string;
  /** Decides the command line and writes the files it needs. The same conversation is resumed. No dialog will open. */
  launch(desk: Desk, found: Found): Promise<Launch>;
  /** Asks the harness itself; never takes longer than `withinMs`. */
  ask(desk: Desk, withinMs: number): Promise<Answer>;
  /** Submits text. The receipt says how far it got by the harness's own word; throws where it was not accepted. */
  submit(desk: Desk, message: Handed): Promise<Receipt>;
  /**
   * What the harness's own record says of messages by their ids. One that has no trace has not entered the conversation.
   * Reads files or asks; starts nothing, and works where the agent does not run.
   */
  trace?(desk: Desk, ids: readonly string[]): Promise<ReadonlyMap<string, Trace>>;
  /** Ends the running turn; says what was done. */
  interrupt(desk: Desk): Promise<string>;
  /**
   * Begins what lies unread inside an idle harness: an interruption leaves it there. Does nothing in the middle of a turn.
   * Absent where the harness goes on by itself.
   */
  goOn?(desk: Desk): Promise<void>;
  /** What it waits to be allowed, oldest first. Absent where the harness cannot be asked for that. */
  permissions?(desk: Desk): Promise<Permission[]>;
  /** Answers one of them, which closes the dialog in its terminal; throws where nobody waits for it any more. */
  answer?(desk: Desk, permission: string, decision: "allow" | "deny"): Promise<void>;
  /** Answers the questions of one of them, each with a label, several (joined by ", "), or any words. As `answer` else. */
  choose?(desk: Desk, permission: string, answers: readonly string[]): Promise<void>;
  /** Asks it to save and end. Returns at once; the supervisor waits. */
  end(desk: Desk, pid: number): Promise<void>;
  /** The newest lines of the conversation, oldest first. */
  tail(desk: Desk, lines: number): Promise<Said[]>;
  /** Removes what a CLI that has ended leaves behind (temporary files, a killed one's socket). */
  tidy?(desk: Desk): void;
}
