import { readFileSync } from "node:fs";

import { writeAtomic } from "../../lib/atomic.ts";

/** An agent's conversation, and the app-server that holds it, as the launch wrote them down. */
export interface Session {
  /** Codex's thread. */
  id: string;
  /** Codex's own record of it. */
  file?: string | undefined;
  /** The app-server's process. */
  pid?: number;
  version?: string | undefined;
}

export function readSession(path: string): Session | undefined {
  try {
    return JSON.parse(readFileSync(path, "utf8")) as Session;
  } catch {
    return undefined;
  }
}

export const writeSession = (path: string, session: Session): void => writeAtomic(path, JSON.stringify(session));

/** What of Codex's answers we read. */
export interface Thread {
  id: string;
  path: string | null;
  model: string | null;
  updatedAt: number;
  status: { type: "notLoaded" | "idle" | "systemError" } | { type: "active"; activeFlags: string[] };
}

export interface Turn {
  id: string;
  status: "completed" | "interrupted" | "failed" | "inProgress";
  error: { message: string; codexErrorInfo: unknown } | null;
  startedAt: number | null;
  completedAt: number | null;
}
