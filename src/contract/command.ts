import type { Agent } from "./agent.ts";
import type { SendMode } from "./message-names.ts";
import type { Message } from "./message.ts";
import type { FleetState } from "./state.ts";

/** Who asks. It travels inside every Command, and one policy judges it. */
export type Asker =
  | { kind: "person" }
  | { kind: "agent"; name: string; token: string | undefined }
  /** Somebody in a chat, as the daemon knows them by their id there. Nobody can send this from outside. */
  | { kind: "chat"; account: string; speaker: string; name: string; standing: "owner" | "user" };

/** Everything that changes the fleet. Every skin produces one of these; nothing else changes anything. */
export type Command = { by: Asker } & (
  | { do: "start" | "stop" | "restart"; agents: readonly string[] | "all" }
  | ({ do: "send" } & Sending)
  | { do: "retry" | "cancel"; message: string }
  /** `id` is a permission's, or how `AGENT/ID` begins. */
  | { do: "answer"; id: string; decision: Decision }
  | { do: "interrupt"; agent: string }
  | { do: "apply" | "install" | "uninstall" }
);

/** A message on its way to one agent, to several, or to all of a role. */
export interface Sending {
  to: readonly string[] | "all" | { role: Agent["role"] };
  text: string;
  mode: SendMode;
  /** What makes a second command the same message; for one receiver only. */
  id?: string | undefined;
  key?: string | undefined;
  replyTo?: string | undefined;
  /** How long it may wait to be delivered, in ms. */
  expireMs?: number | undefined;
  /** Returns when all got that far, or after `ms`. Without it: when each was tried once. */
  wait?: { for: "delivered" | "answered"; ms: number } | undefined;
}

/** How far a message got, by the harness's own word; `typed` is all that a plain terminal can say. */
export type Receipt = {
  id: string;
  state: "delivered" | "queued" | "typed";
  by: string;
  /** Queued in the harness's memory only: it is lost if that process is killed before it reads it. */
  volatile?: true;
};

/** One step of a plan. `why` is a reason for people. */
export interface Change {
  kind: "start" | "stop" | "restart";
  agent: string;
  why: string;
}

/** What became of one agent in a command. */
export type AgentOutcome = { agent: string; note: string } & (
  | { did: "started" | "stopped" | "restarted" | "nothing" }
  | { did: "failed"; hint: string }
);

/** One thing that was checked or done: how it stands, and the line to type where something is left to do. */
export interface Finding {
  level: "good" | "note" | "bad";
  text: string;
  next?: string;
}

/**
 * What somebody says to a permission; to questions an answer for each, in their order: the number of an option, several as
 * `1,3`, its label, or words of one's own.
 */
export type Decision = "allow" | "deny" | { answers: readonly string[] };

/** A question of an agent with answers to choose from. */
export interface Question {
  text: string;
  options: readonly { label: string; about: string | null }[];
  /** More than one may be chosen. */
  several: boolean;
}

/** Something that an agent waits to be allowed, or to be answered. Without an id only its own terminal can do that. */
export interface Approval {
  agent: string;
  id: string | null;
  what: string;
  cwd: string | null;
  reason: string | null;
  /** Since when it waits. */
  at: string;
  /** Where it is no matter of allowing: what there is to choose from. */
  questions?: readonly Question[];
}

export type Outcome =
  | { did: "send" | "retry" | "cancel"; messages: Message[] }
  | { did: "interrupt"; agent: string; note: string }
  | { did: "answer"; approval: Approval; decision: Decision }
  | { did: "start" | "stop" | "restart" | "apply"; agents: AgentOutcome[] }
  | { did: "install" | "uninstall"; findings: Finding[] };

/** What happened, for whoever watches. */
type FleetEvent = { kind: "state"; state: FleetState };

/** The fleet's one face. A skin never knows which implementation it holds. */
export interface FleetControl {
  state(): Promise<FleetState>;
  /** Yields at once and then at every change, until the signal. */
  watch(signal: AbortSignal): AsyncIterable<FleetEvent>;
  /** Carries out a command, or throws a FleetError and has changed nothing. `tell` hears of progress. */
  run(command: Command, tell?: (line: string) => void): Promise<Outcome>;
}
