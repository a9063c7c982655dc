import { readFileSync } from "node:fs";
import { join } from "node:path";

import { defaultBeatInterval, parseBeat, type Beat } from "../../contract/beat.ts";
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

/** Names one running Claude Code: a later one may have the same pid. */
export const instanceOf = ({ pid, startedAt }: Session): string => `${pid}:${startedAt ?? ""}`;

/** From which version on Claude Code has an inbox; it refuses to start with a flag that it does not know. */
export function hasInbox(version: string | undefined): boolean {
  const [major = 0, minor = 0, patch = 0] = (version ?? "").split(/[.-]/).map(Number);
  return version === undefined || major > 2 || (major === 2 && (minor > 1 || (minor === 1 && patch >= 224)));
}

/** How long after its start a Claude Code may take to open the inbox. Seen: 0.1 s. */
const openingMs = 5_000;

/** The inbox that we gave it; it also opens one of its own making where we gave none, without receipts. */
export const inboxOf = ({ messagingSocketPath }: Session, { inbox }: AgentPlace): string | undefined =>
  messagingSocketPath === inbox ? inbox : undefined;

/** True where it will not have one: too old, or switched off (a provider, an organisation). */
export const lacksInbox = (session: Session, place: AgentPlace): boolean =>
  inboxOf(session, place) === undefined &&
  (!hasInbox(session.version) || Date.now() - (session.startedAt ?? 0) > openingMs);

/**
 * Whether a Claude Code without any socket still works: by its own beat, or by a change of state as young as one may be.
 * It does not beat while a dialog is open.
 */
export function beats(session: Session, path: string): "alive" | "silent" {
  if (session.status === "waiting") return "alive";
  const beat = readBeat(path);
  const heard = Math.max(beat?.pid === session.pid ? Date.parse(beat.ts) : 0, session.statusUpdatedAt ?? 0);
  return Date.now() - heard <= 3_000 * (beat?.interval ?? defaultBeatInterval) ? "alive" : "silent";
}

function readBeat(path: string): Beat | undefined {
  try {
    return parseBeat(readFileSync(path, "utf8"));
  } catch {
    return undefined;
  }
}

/** The registry's record of the process that the agent is now. One of an earlier process, or of a reused pid, is none. */
export function readSession(config: string, place: AgentPlace): Session | undefined {
  try {
    const [, pid, start] = /^pid=(\d+)\nstart=(\d+)$/m.exec(readFileSync(place.pid, "utf8")) ?? [];
    const found = JSON.parse(readFileSync(join(config, "sessions", `${pid}.json`), "utf8")) as Session;
    if (start === undefined || found.pid !== Number(pid) || (found.procStart ?? start) !== start) return undefined;
    return { ...found, procStart: start };
  } catch {
    return undefined;
  }
}
