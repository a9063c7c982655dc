import { readFileSync } from "node:fs";

/** An agent's conversation and the process that holds it, as the opener wrote them down once OpenCode had answered. */
export interface Session {
  id: string;
  /** Where OpenCode listens: loopback, a port of this launch's own. */
  url: string;
  /** OpenCode's process. */
  pid: number;
  version?: string | undefined;
  /** The model that its settings name; what answers says it itself. */
  model?: string | undefined;
}

export function readSession(path: string): Session | undefined {
  try {
    return JSON.parse(readFileSync(path, "utf8")) as Session;
  } catch {
    return undefined;
  }
}

/** What of OpenCode's answers we read. */
export interface Message {
  info: {
    id: string;
    role: "user" | "assistant";
    /** Of an answer: the message that it answers. */
    parentID?: string;
    providerID?: string;
    modelID?: string;
    time: { created: number; completed?: number };
    error?: { name: string; data?: { message?: string; statusCode?: number } };
  };
}

/** A session that does nothing is not among the statuses. */
export type Status = { type: "idle" | "busy" } | { type: "retry"; attempt: number; message: string; next: number };

/** A permission or a question that waits for an answer. */
export interface Pending {
  id: string;
  sessionID: string;
}
