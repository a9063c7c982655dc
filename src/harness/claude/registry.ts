import { readFileSync } from "node:fs";
import { join } from "node:path";

import type { AgentPlace } from "../../contract/home.ts";

/** What a running Claude Code says of itself in `sessions/PID.json`; it changes on every change of state. */
export interface Session {
  pid: number;
  procStart?: string;
  /** ms since 1970. */
  startedAt?: number;
  sessionId?: string;
  version?: string;
  messagingSocketPath?: string;
  status?: string;
  waitingFor?: string;
  statusUpdatedAt?: number;
}

/** The registry's record of the process that the agent is now. One of an earlier process, or of a reused pid, is none. */
export function readSession(config: string, place: AgentPlace): Session | undefined {
  try {
    const [, pid, start] = /^pid=(\d+)\nstart=(\d+)$/m.exec(readFileSync(place.pid, "utf8")) ?? [];
    const found = JSON.parse(readFileSync(join(config, "sessions", `${pid}.json`), "utf8")) as Session;
    return found.pid === Number(pid) && (found.procStart ?? start) === start ? found : undefined;
  } catch {
    return undefined;
  }
}
