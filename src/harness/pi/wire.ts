import type { Broken } from "../harness.ts";

/** What the adapter and the extension inside Pi say to each other: JSON lines on a 0600 unix socket. */
export type Request =
  | { type: "message"; id: string; text: string; mode: "next" | "steer" }
  | { type: "state" }
  | { type: "interrupt" }
  | { type: "permissions" }
  | { type: "answer"; id: string; decision: "allow" | "deny" }
  | { type: "end" };

/** `accepted` is said after the message is on disk; `delivered` once Pi itself put it into the conversation. */
export type Reply =
  | { type: "accepted" | "delivered" | "duplicate"; id: string }
  | { type: "refused"; id?: string; why: string }
  | {
      type: "state";
      state: string;
      since: number;
      pid: number;
      session?: string;
      model?: string;
      version?: string;
      why?: string;
      until?: number;
      context?: number;
    }
  | { type: "permissions"; open: Question[] }
  | { type: "done"; note: string };

/** What the agent may do only once somebody says so. */
export interface Question {
  id: string;
  what: string;
  cwd: string;
  reason: string;
  at: number;
}

/** What the extension is told at launch, in the file named by `MOSAIC_DESK`. */
export interface ExtensionDesk {
  agent: string;
  role: string;
  fleet: string;
  prompt: string;
  permissions: "read" | "edit" | "full";
  workdir: string;
  beat: { path: string; intervalS: number };
  inbox: string;
  journal: string;
  session: string;
  mosaic: string;
  version: string | undefined;
}

/** One line of the journal: what became of a message, by Pi's own events. */
export type JournalLine =
  | { at: number; kind: "accepted"; id: string; text: string; mode: "next" | "steer" }
  /** `stamp` is Pi's own time of the message, by which it is found in Pi's session file again. */
  | { at: number; kind: "delivered"; id: string; stamp?: number }
  /** The model has begun to answer; then how the turn ended in which it was read. */
  | { at: number; kind: "acted"; id: string }
  | { at: number; kind: "answered"; id: string; text: string }
  | ({ at: number; id: string } & Broken)
  /** In Pi's own session file: Pi writes a new conversation only with its first answer. */
  | { at: number; kind: "saved"; id: string }
  | { at: number; kind: "state"; state: string; note?: string };
