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
  /** How many tokens each model takes, by its name as it is in `model`. */
  limits?: Record<string, number> | undefined;
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
    /** A compaction's answer: what stands for all that was said before. */
    summary?: boolean | object;
    tokens?: { input: number; output: number; reasoning: number; cache: { read: number; write: number } };
    time: { created: number; completed?: number };
    error?: {
      name: string;
      data?: { message?: string; statusCode?: number; responseHeaders?: Record<string, string> };
    };
  };
}

/** A session that does nothing is not among the statuses. */
export type Status =
  | { type: "idle" | "busy" }
  /** `next` is when it tries again, in ms since 1970; `action` what it advises its person to do. */
  | { type: "retry"; attempt: number; message: string; next: number; action?: { reason: string } };

/** A permission that waits for an answer: for what, and the commands or files in question. */
export interface Asked {
  id: string;
  sessionID: string;
  permission: string;
  patterns: string[];
  /** What the tool adds: a command, a file, a diff. */
  metadata?: Record<string, unknown>;
  tool?: Step;
}

/** The model's step that something is asked in. */
interface Step {
  messageID: string;
}

/** Questions that wait for an answer. */
export interface Question {
  id: string;
  sessionID: string;
  questions: {
    question: string;
    options: { label: string; description: string }[];
    /** More than one may be chosen. */
    multiple?: boolean;
  }[];
  tool?: Step;
}
