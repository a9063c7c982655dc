import { readFileSync } from "node:fs";

import { follower } from "../../lib/new-lines.ts";
import { processOf } from "../../lib/proc.ts";
import type { Desk, Trace } from "../harness.ts";
import { readSession } from "./session.ts";

/** How far back a rollout is read at first; what comes later is read as it comes. */
const most = 16 * 1024 * 1024;

interface Turn {
  lastAt: number;
  end?: NonNullable<Trace["end"]>;
  has: { id: string; at: number | undefined; acted: boolean }[];
}

/** What Codex's own record of the conversation says of messages by their ids; its server need not run. */
export function traceOf({ place }: Desk, ids: readonly string[]): Map<string, Trace> {
  const found = new Map<string, Trace>();
  const session = readSession(place.session);
  const turns = session?.file === undefined ? undefined : follow(session.file);
  for (const id of ids) {
    const turn = turns?.turnOf(id);
    const message = turn?.has.findLast((one) => one.id === id);
    if (turn === undefined || message === undefined) continue;
    const end = turn.end ?? (isOpen(turn, session?.pid) ? undefined : cutOff);
    const { at, acted } = message;
    found.set(id, { acted, ...(at !== undefined && { at }), ...(end && { end }) });
  }
  return found;
}

const cutOff = { kind: "broken", cut: true, why: "Codex ended before it had answered" } as const;

/** Whether the server that began a turn still runs; nothing says so in the record of a turn that was cut off. */
function isOpen(turn: Turn, pid: number | undefined): boolean {
  const found = pid === undefined ? undefined : processOf(pid);
  if (found === undefined || found.state === "zombie") return false;
  // The kernel counts a process's start in hundredths of a second since boot.
  const upS = Number(readFileSync("/proc/uptime", "utf8").split(" ")[0]);
  return Date.now() - (upS - Number(found.started) / 100) * 1_000 <= turn.lastAt;
}

interface Turns {
  read(line: string): void;
  turnOf(id: string): Turn | undefined;
}

const follow = follower(most, followTurns, (turns, line) => turns.read(line));

interface Row {
  timestamp?: string;
  payload?: {
    type?: string;
    turn_id?: string;
    item?: { type?: string; client_id?: string | null };
    completed_at_ms?: number;
    last_agent_message?: string | null;
    error?: { message?: string } | null;
    reason?: string;
  };
}

/** Follows a rollout: which messages each turn read, and how it ended. */
function followTurns(): Turns {
  const byMessage = new Map<string, Turn>();
  let current: { id: string; turn: Turn } | undefined;
  return {
    turnOf: (id) => byMessage.get(id),
    read(line) {
      if (!/"type":"(task_started|item_completed|task_complete|turn_aborted)"/.test(line)) return;
      const { timestamp, payload } = parse(line);
      if (payload?.turn_id === undefined) return;
      const at = Date.parse(timestamp ?? "");
      if (current?.id !== payload.turn_id) {
        if (current !== undefined) current.turn.end ??= cutOff;
        current = { id: payload.turn_id, turn: { lastAt: 0, has: [] } };
      }
      const { turn } = current;
      if (!Number.isNaN(at)) turn.lastAt = at;
      if (payload.type === "item_completed" && payload.item?.type !== "UserMessage") {
        for (const one of turn.has) one.acted = true;
      } else if (payload.type === "item_completed" && typeof payload.item?.client_id === "string") {
        const id = payload.item.client_id;
        turn.has.push({ id, at: payload.completed_at_ms, acted: false });
        byMessage.set(id, turn);
      } else if (payload.type === "task_complete") turn.end = endBy(payload, at);
      else if (payload.type === "turn_aborted") turn.end = { kind: "broken", why: payload.reason ?? "interrupted" };
    },
  };
}

function endBy({ error, last_agent_message: text }: NonNullable<Row["payload"]>, at: number): NonNullable<Turn["end"]> {
  if (error) return { kind: "broken", why: error.message ?? "the request failed" };
  return { kind: "answered", text: text ?? "", ...(!Number.isNaN(at) && { at }) };
}

function parse(line: string): Row {
  try {
    return JSON.parse(line) as Row;
  } catch {
    return {}; // cut at the front
  }
}
