import type { DatabaseSync } from "node:sqlite";

import { sqlite } from "../../lib/sqlite.ts";
import type { Desk, Trace } from "../harness.ts";
import { messageOf } from "./receipts.ts";
import { readSession } from "./session.ts";
import { databaseOf } from "./transcript.ts";

/** A message as OpenCode's database has it. */
export interface Kept {
  id: string;
  role: "user" | "assistant";
  /** Of an answer: the message that it answers. */
  parentID?: string;
  /** Why the model stopped: after `tool-calls` it goes on. */
  finish?: string;
  time: { created: number; completed?: number };
  error?: { name: string; data?: { message?: string } };
}

/**
 * What OpenCode's own database says of messages by their ids; OpenCode need not run. What a kill left without an answer
 * has not ended: it is taken up again at the next start.
 */
export function traceOf(desk: Desk, ids: readonly string[]): Map<string, Trace> {
  const found = new Map<string, Trace>();
  const { place } = desk;
  const session = readSession(place.session)?.id;
  const messages = ids.flatMap((id) => {
    const message = messageOf(place.journal, id);
    return message === undefined ? [] : [{ id, message }];
  });
  if (session === undefined || messages.length === 0) return found;
  const { DatabaseSync: Database } = sqlite();
  let database: DatabaseSync;
  try {
    database = new Database(databaseOf(desk), { readOnly: true });
  } catch {
    return found; // it has never run
  }
  try {
    database.exec("PRAGMA busy_timeout=2000");
    const since = database.prepare("SELECT id, data FROM message WHERE session_id = ? AND id >= ? ORDER BY id");
    const parts = database.prepare("SELECT data FROM part WHERE message_id = ? ORDER BY id");
    const textOf = ({ id }: Kept) =>
      parts
        .all(id)
        .map((part) => wordsIn(String(part["data"])))
        .join("");
    for (const { id, message } of messages) {
      const rows = turnOf(rowsIn(since.iterate(session, message)));
      const [asked] = rows;
      if (asked?.id !== message) continue;
      const end = endIn(rows, textOf);
      const acted = rows.some((row) => row.role === "assistant" && parts.get(row.id) !== undefined);
      found.set(id, { at: asked.time.created, acted, ...(end && { end }) });
    }
  } finally {
    database.close();
  }
  return found;
}

function* rowsIn(rows: Iterable<Record<string, unknown>>): Generator<Kept> {
  for (const row of rows) yield { ...(JSON.parse(String(row["data"])) as Kept), id: String(row["id"]) };
}

/**
 * The message with what was said to it: its own answers, and where these went on with tools, the first end of those to
 * whatever came in meanwhile. What was taken up again has more than one end: the newest of its own counts.
 */
export function turnOf(messages: Iterable<Kept>): Kept[] {
  const turn: Kept[] = [];
  let ended = false;
  for (const one of messages) {
    const [asked] = turn;
    if (asked === undefined) turn.push(one);
    else if (one.role === "assistant") {
      const own = one.parentID === asked.id;
      if (!own && ended) break;
      turn.push(one);
      ended = isEnd(one);
      if (!own && ended) break;
    }
  }
  return turn;
}

const isEnd = ({ error, finish, time }: Kept): boolean =>
  error !== undefined || (time.completed !== undefined && finish !== undefined && finish !== "tool-calls");

/** How the turn ended; undefined while it goes on. */
export function endIn(turn: readonly Kept[], textOf: (message: Kept) => string): Trace["end"] {
  const last = turn.findLast((one) => one.role === "assistant");
  if (last === undefined || !isEnd(last)) return undefined;
  if (last.error?.name === "MessageAbortedError") return { kind: "broken", why: "interrupted" };
  if (last.error !== undefined) return { kind: "broken", why: last.error.data?.message ?? last.error.name };
  const spoken = turn.filter((one) => one.role === "assistant").map(textOf);
  const text = spoken.findLast((one) => one !== "") ?? "";
  const { completed: at } = last.time;
  return { kind: "answered", text, ...(at !== undefined && { at }) };
}

function wordsIn(data: string): string {
  const part = JSON.parse(data) as { type: string; text?: string; synthetic?: boolean };
  return part.type === "text" && !part.synthetic ? (part.text ?? "") : "";
}
