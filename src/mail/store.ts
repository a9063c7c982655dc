import type { SQLOutputValue } from "node:sqlite";

import type { MessageState, Sender, SendMode } from "../contract/message-names.ts";
import { openDatabase, wholeText, wholeTextOf, type Database } from "../lib/database.ts";
import { sqlite } from "../lib/sqlite.ts";
import type { Draft, Letter } from "./letter.ts";
import { migrations } from "./schema.ts";

/** What changes about a message; every change of its state is noted with its time. */
interface Move {
  state?: MessageState;
  reason?: string | undefined;
  deliveredAt?: number;
  answeredAt?: number;
  answer?: string;
  closed?: boolean;
}

/** Which messages somebody wants to see. */
interface Filter {
  to?: string | undefined;
  from?: string | undefined;
  states?: readonly MessageState[] | undefined;
  last: number;
}

/** The one table of messages. Every call is a transaction, durable when it returns. Nothing else writes it. */
export interface Store {
  /** Keeps a message, or answers the one that the same id or key has already made. `admit` throws where a new one is refused. */
  accept(
    draft: Draft & { id: string; hops: number },
    now: number,
    admit?: () => void,
  ): { letter: Letter; fresh: boolean };
  /** By id, or by the beginning of one that only one message has. */
  find(id: string): Letter | undefined;
  list(filter: Filter): Letter[];
  /** What is not over yet for a recipient, oldest first. */
  open(to: string): Letter[];
  /** What waits to be delivered: urgent ones first, then in the order of acceptance. `handed`: the harness has it in its queue. */
  due(to: string, last: number): Letter[];
  /** What the agent was handed and what is not over. */
  handed(to: string): Letter[];
  /** Says of everything that waits, and was not handed over, why it does. */
  shut(to: string, state: "queued" | "held", reason: string, now: number): void;
  /** Recipients of whom something is not over yet, and how many of each wait to be delivered. */
  waiting(): Map<string, number>;
  /** Notes, before the agent is handed it, that this is tried now; false where it is over meanwhile. */
  attempt(id: string, now: number): boolean;
  /** Notes which of the agent's processes has it, or that none has. */
  hand(id: string, to: string | undefined): void;
  move(id: string, move: Move, now: number): void;
  /** Ends it for its sender; false where somebody has it or may have it. */
  takeBack(id: string, now: number): boolean;
  /** Queues it again, whatever became of it and whatever it was held for. */
  retry(id: string, now: number): void;
  /** What became of it, oldest first. */
  history(id: string): { at: number; state: string; note: string | undefined }[];
  /** How many messages one agent has sent another since then. */
  sentBetween(from: string, to: string, since: number): number;
  /** Answers that are owed and late. */
  late(now: number): Letter[];
  nudged(id: string, dueAt: number | undefined): void;
  /** Forgets what was over before then, with its history; answers how many. */
  prune(before: number): number;
  /** Whether anybody else has changed anything since the last question. Costs nothing. */
  hasChanged(): boolean;
  close(): void;
}

/** How many messages wait for each agent. Reads only; for `ps`, which must not wait for anybody. */
export function countWaiting(path: string): Map<string, number> {
  const { existsSync } = process.getBuiltinModule("node:fs");
  if (!existsSync(path)) return new Map();
  const { DatabaseSync } = sqlite();
  try {
    const db = new DatabaseSync(path, { readOnly: true });
    const rows = db
      .prepare(
        "SELECT recipient, count(*) AS count FROM letters WHERE closed = 0 AND state IN ('queued', 'held') GROUP BY 1",
      )
      .all();
    db.close();
    return new Map(rows.map((row) => [String(row["recipient"]), Number(row["count"])]));
  } catch {
    return new Map(); // not made yet, or not readable: `inbox` says what is wrong
  }
}

/** Opens the table, and makes it where it is not there. A full disk or a locked database is a sentence, not a half row. */
export const openStore = (path: string): Store => storeOn(openDatabase({ path, what: "messages", migrations }));

const columns = `seq, id, key, recipient, sender_kind, sender, mode, state, reason, reply_to, hops, created_at, changed_at,
  expires_at, attempts, handed_to, delivered_at, answered_at, answer_within, due_at, nudges, forced, closed,
  ${wholeText("body")}, ${wholeText("answer")}`;

function storeOn({ db, atOnce, hasChanged, close }: Database): Store {
  const sql = {
    insert: db.prepare(`INSERT INTO letters
      (id, key, recipient, sender_kind, sender, mode, body, state, reply_to, hops, created_at, changed_at, expires_at, answer_within)
      VALUES (?, ?, ?, ?, ?, ?, ?, 'queued', ?, ?, ?, ?, ?, ?) RETURNING ${columns}`),
    byId: db.prepare(`SELECT ${columns} FROM letters WHERE id = ?`),
    byKey: db.prepare(`SELECT ${columns} FROM letters WHERE key = ?`),
    byStart: db.prepare(`SELECT ${columns} FROM letters WHERE substr(id, 1, ?) = ? LIMIT 2`),
    open: db.prepare(`SELECT ${columns} FROM letters WHERE recipient = ? AND closed = 0 ORDER BY seq`),
    due: db.prepare(`SELECT ${columns} FROM letters WHERE recipient = ? AND closed = 0 AND state IN ('queued', 'held')
      ORDER BY CASE mode WHEN 'now' THEN 0 WHEN 'steer' THEN 1 ELSE 2 END, seq LIMIT ?`),
    handed: db.prepare(
      `SELECT ${columns} FROM letters WHERE recipient = ? AND closed = 0 AND handed_to IS NOT NULL ORDER BY seq`,
    ),
    shutNotes: db.prepare(`INSERT INTO moves (letter, at, state, note) SELECT id, ?, ?, ? FROM letters
      WHERE recipient = ? AND closed = 0 AND state IN ('queued', 'held') AND handed_to IS NULL AND (state, reason) IS NOT (?, ?)`),
    shut: db.prepare(`UPDATE letters SET state = ?, reason = ?, changed_at = ?
      WHERE recipient = ? AND closed = 0 AND state IN ('queued', 'held') AND handed_to IS NULL AND (state, reason) IS NOT (?, ?)`),
    waiting: db.prepare(`SELECT recipient, sum(state IN ('queued', 'held')) AS count
      FROM letters WHERE closed = 0 GROUP BY recipient`),
    attempt: db.prepare(
      "UPDATE letters SET attempts = attempts + 1, handed_to = '?', changed_at = ? WHERE id = ? AND closed = 0",
    ),
    takeBack: db.prepare(`UPDATE letters SET state = 'failed', reason = ?, closed = 1, due_at = NULL, changed_at = ?
      WHERE id = ? AND closed = 0 AND handed_to IS NULL AND delivered_at IS NULL`),
    hand: db.prepare("UPDATE letters SET handed_to = ? WHERE id = ?"),
    move: db.prepare(`UPDATE letters SET state = ?, reason = ?, delivered_at = ?, answered_at = ?, answer = ?,
      due_at = ?, closed = ?, changed_at = ? WHERE id = ?`),
    note: db.prepare("INSERT INTO moves (letter, at, state, note) VALUES (?, ?, ?, ?)"),
    history: db.prepare("SELECT at, state, note FROM moves WHERE letter = ? ORDER BY seq"),
    pair: db.prepare(`SELECT count(*) AS count FROM letters
      WHERE sender_kind = 'agent' AND sender = ? AND recipient = ? AND created_at > ?`),
    late: db.prepare(`SELECT ${columns} FROM letters WHERE closed = 0 AND due_at <= ? ORDER BY seq`),
    retry: db.prepare(`UPDATE letters SET state = 'queued', reason = NULL, forced = 1, closed = 0, handed_to = NULL,
      expires_at = NULL, changed_at = ? WHERE id = ?`),
    pruneMoves: db.prepare(
      "DELETE FROM moves WHERE letter IN (SELECT id FROM letters WHERE closed = 1 AND changed_at < ?)",
    ),
    prune: db.prepare("DELETE FROM letters WHERE closed = 1 AND changed_at < ?"),
    nudged: db.prepare("UPDATE letters SET nudges = nudges + 1, due_at = ? WHERE id = ?"),
  };
  const one = (row: Row | undefined) => (row === undefined ? undefined : letterOf(row));

  return {
    accept: (draft, now, admit) =>
      atOnce(() => {
        const known =
          one(sql.byId.get(draft.id)) ?? (draft.key === undefined ? undefined : one(sql.byKey.get(draft.key)));
        if (known !== undefined) return { letter: known, fresh: false };
        admit?.();
        const { id, key, to, from, mode, body, replyTo, hops, expiresAt, answerWithinMs } = draft;
        const values = [
          id,
          key,
          to,
          from.kind,
          from.name,
          mode,
          body,
          replyTo,
          hops,
          now,
          now,
          expiresAt,
          answerWithinMs,
        ];
        const letter = letterOf(sql.insert.get(...values.map((value) => value ?? null)) as Row);
        sql.note.run(id, now, "queued", null);
        return { letter, fresh: true };
      }),

    find(id) {
      const exact = one(sql.byId.get(id));
      if (exact !== undefined || id === "") return exact;
      const [found, second] = sql.byStart.all(id.length, id) as Row[];
      return second === undefined ? one(found) : undefined;
    },

    list({ to, from, states, last }) {
      const marks = states?.map(() => "?").join(", ");
      const rows = db
        .prepare(
          `SELECT ${columns} FROM letters WHERE (? IS NULL OR recipient = ?) AND (? IS NULL OR sender = ?)
           ${marks === undefined ? "" : `AND state IN (${marks})`} ORDER BY seq DESC LIMIT ?`,
        )
        .all(to ?? null, to ?? null, from ?? null, from ?? null, ...(states ?? []), last);
      return rows.map((row) => letterOf(row)).toReversed();
    },

    open: (to) => sql.open.all(to).map((row) => letterOf(row)),
    due: (to, last) => sql.due.all(to, last).map((row) => letterOf(row)),
    handed: (to) => sql.handed.all(to).map((row) => letterOf(row)),
    shut: (to, state, reason, now) =>
      atOnce(() => {
        sql.shutNotes.run(now, state, reason, to, state, reason);
        sql.shut.run(state, reason, now, to, state, reason);
      }),
    waiting: () => new Map(sql.waiting.all().map((row) => [String(row["recipient"]), Number(row["count"])])),
    attempt: (id, now) => atOnce(() => sql.attempt.run(now, id).changes > 0),
    takeBack: (id, now) =>
      atOnce(() => {
        const reason = "taken back by its sender";
        const done = sql.takeBack.run(reason, now, id).changes > 0;
        if (done) sql.note.run(id, now, "failed", reason);
        return done;
      }),
    hand: (id, to) => void atOnce(() => sql.hand.run(to ?? null, id)),

    move: (id, move, now) =>
      atOnce(() => {
        const row = sql.byId.get(id);
        if (row === undefined) return;
        const before = letterOf(row);
        // Over is over: a reply may have come while the harness was being asked.
        if (before.closed) return;
        const state = move.state ?? before.state;
        const reason = "reason" in move ? move.reason : before.reason;
        const closed = move.closed ?? before.closed;
        if (state === before.state && reason === before.reason && closed === before.closed) return;
        const within = Number(row["answer_within"] ?? 0);
        const delivered = before.deliveredAt ?? move.deliveredAt;
        const due = closed
          ? undefined
          : (before.dueAt ?? (within > 0 && delivered !== undefined ? delivered + within : undefined));
        const values = [
          state,
          reason,
          delivered,
          move.answeredAt ?? before.answeredAt,
          move.answer ?? before.answer,
          due,
        ];
        sql.move.run(...values.map((value) => value ?? null), Number(closed), now, id);
        sql.note.run(id, now, state, reason ?? null);
      }),

    retry: (id, now) =>
      atOnce(() => {
        sql.retry.run(now, id);
        sql.note.run(id, now, "queued", "to be tried again");
      }),

    history: (id) =>
      sql.history.all(id).map((row) => ({
        at: Number(row["at"]),
        state: String(row["state"]),
        note: text(row["note"]),
      })),
    sentBetween: (from, to, since) => Number(sql.pair.get(from, to, since)?.["count"] ?? 0),
    late: (now) => sql.late.all(now).map((row) => letterOf(row)),
    nudged: (id, dueAt) => void atOnce(() => sql.nudged.run(dueAt ?? null, id)),
    prune: (before) =>
      atOnce(() => {
        sql.pruneMoves.run(before);
        return Number(sql.prune.run(before).changes);
      }),
    hasChanged,
    close,
  };
}

type Row = Record<string, SQLOutputValue>;
const text = (value: SQLOutputValue | undefined): string | undefined => (typeof value === "string" ? value : undefined);
const number = (value: SQLOutputValue | undefined): number | undefined =>
  typeof value === "number" ? value : undefined;

function letterOf(row: Row): Letter {
  return {
    seq: Number(row["seq"]),
    id: String(row["id"]),
    key: text(row["key"]),
    to: String(row["recipient"]),
    from: { kind: String(row["sender_kind"]) as Sender["kind"], name: String(row["sender"]) },
    mode: String(row["mode"]) as SendMode,
    body: wholeTextOf(row["body"]) ?? "",
    state: String(row["state"]) as MessageState,
    reason: text(row["reason"]),
    replyTo: text(row["reply_to"]),
    hops: Number(row["hops"]),
    createdAt: Number(row["created_at"]),
    changedAt: Number(row["changed_at"]),
    expiresAt: number(row["expires_at"]),
    attempts: Number(row["attempts"]),
    handedTo: text(row["handed_to"]),
    deliveredAt: number(row["delivered_at"]),
    answeredAt: number(row["answered_at"]),
    answer: wholeTextOf(row["answer"]),
    dueAt: number(row["due_at"]),
    nudges: Number(row["nudges"]),
    forced: row["forced"] === 1,
    closed: row["closed"] === 1,
  };
}
