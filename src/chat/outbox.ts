import type { SQLOutputValue } from "node:sqlite";

import type { Choice, Mark, Target } from "../connector/connector.ts";
import { atOnceOrWithin, type Ledger } from "./ledger.ts";
import { split } from "./split.ts";

/** What is to be said, before it is known what the platform will call it: `of` names what it changes by that one's key. */
type Saying =
  | { kind: "text"; text: string; replyTo?: string | undefined; choices?: readonly Choice[] | undefined }
  | { kind: "edit"; of: string; text: string; choices?: readonly Choice[] | undefined }
  | { kind: "mark"; message: string; mark: Mark }
  | { kind: "typing" }
  | { kind: "file"; path: string; name: string; text?: string | undefined; replyTo?: string | undefined };

/** One row of what goes out. `unknown`: a try may have got through, and the platform cannot be asked. */
export interface Outgoing extends Target {
  seq: number;
  key: string;
  account: string;
  saying: Saying;
  state: "new" | "sending" | "sent" | "failed" | "unknown";
  /** What goes one after another: the texts of a chat, and beside them the marks that say at once that something was heard. */
  lane: string;
  attempts: number;
  dueAt: number;
  createdAt: number;
  /** When it was tried last. */
  changedAt: number;
  ids: readonly string[];
}

/** Everything that goes out is a row first. The same key is the same thing, however often it is said. */
export interface Outbox {
  say(account: string, to: Target, key: string, saying: Saying, now: number): boolean;
  /** A text of any length, in as many parts as that platform needs. */
  sayLong(
    account: string,
    to: Target,
    key: string,
    said: { text: string; replyTo?: string | undefined },
    now: number,
  ): void;
  /** What waits longest in each lane: one lane of thousands hides no other. */
  waiting(account: string): Outgoing[];
  find(key: string): Outgoing | undefined;
  move(
    seq: number,
    state: Outgoing["state"],
    now: number,
    more?: { ids?: readonly string[]; why?: string; dueAt?: number },
  ): void;
  /** What the platform calls everything that was sent or changed since then. */
  saidSince(account: string, since: number): ReadonlySet<string>;
  /** Whether there is anything, changed since then, of which it is not known whether it was said. */
  isUnsure(account: string, since: number): boolean;
  /** How many of an account are in each state. */
  counts(account: string): Map<string, number>;
}

export function openOutbox({ database }: Pick<Ledger, "database">, maxText: (account: string) => number): Outbox {
  const { db } = database;
  const sql = {
    say: db.prepare(`INSERT OR IGNORE INTO outbox (key, account, chat, thread, body, lane, state, attempts, due_at, created_at, changed_at)
      VALUES (?, ?, ?, ?, ?, ?, 'new', 0, ?, ?, ?)`),
    // Said twice, since an index for what waits is used only where its very words are.
    replace: db.prepare(`UPDATE outbox SET body = ? WHERE state = 'new' AND state IN ('new', 'sending') AND account = ?
      AND lane = ? AND json_extract(body, '$.kind') = 'edit' AND json_extract(body, '$.of') = ?`),
    head: db.prepare(`SELECT * FROM outbox WHERE account = ? AND lane > ? AND state IN ('new', 'sending')
      ORDER BY lane, seq LIMIT 1`),
    find: db.prepare("SELECT * FROM outbox WHERE key = ?"),
    move: db.prepare(`UPDATE outbox SET state = ?, attempts = attempts + (? = 'sending'), ids = coalesce(?, ids), why = ?,
      due_at = coalesce(?, due_at), changed_at = ? WHERE seq = ?`),
    saidSince: db.prepare(
      "SELECT said.value FROM outbox, json_each(outbox.ids) AS said WHERE account = ? AND changed_at >= ?",
    ),
    isUnsure: db.prepare(`SELECT 1 FROM outbox WHERE account = ? AND attempts > 0 AND state IN ('new', 'sending')
      UNION ALL SELECT 1 FROM outbox WHERE account = ? AND state = 'unknown' AND changed_at > ? LIMIT 1`),
    counts: db.prepare("SELECT state, count(*) AS count FROM outbox WHERE account = ? GROUP BY 1"),
  };
  const say: Outbox["say"] = (account, { chat, thread }, key, saying, now) =>
    atOnceOrWithin(database, () => {
      const body = JSON.stringify(saying, (_, value: unknown) =>
        // Half a character would make the platform refuse the whole.
        typeof value === "string" ? value.toWellFormed() : value,
      );
      const lane = `${isAtOnce(saying) ? "mark" : "text"} ${chat} ${thread ?? ""}`;
      // Of two edits only the newer one is worth anybody's time.
      if (saying.kind === "edit" && Number(sql.replace.run(body, account, lane, saying.of).changes) > 0) return true;
      return Number(sql.say.run(key, account, chat, thread ?? null, body, lane, now, now, now).changes) === 1;
    });
  return {
    say,
    sayLong: (account, to, key, { text, replyTo }, now) =>
      atOnceOrWithin(database, () => {
        for (const [at, part] of split(text, maxText(account)).entries())
          say(
            account,
            to,
            at === 0 ? key : `${key} ${at + 1}`,
            { kind: "text", text: part, replyTo: at === 0 ? replyTo : undefined },
            now,
          );
      }),
    waiting(account) {
      const heads: Outgoing[] = [];
      for (;;) {
        const row = sql.head.get(account, heads.at(-1)?.lane ?? "");
        if (row === undefined) return heads;
        heads.push(outgoingOf(row));
      }
    },
    find(key) {
      const row = sql.find.get(key);
      return row === undefined ? undefined : outgoingOf(row);
    },
    move: (seq, state, now, { ids, why, dueAt } = {}) =>
      void atOnceOrWithin(database, () =>
        sql.move.run(
          state,
          state,
          ids === undefined ? null : JSON.stringify(ids),
          why ?? null,
          dueAt ?? null,
          now,
          seq,
        ),
      ),
    saidSince: (account, since) => new Set(sql.saidSince.all(account, since).map((row) => String(row["value"]))),
    isUnsure: (account, since) => sql.isUnsure.get(account, account, since) !== undefined,
    counts: (account) => new Map(sql.counts.all(account).map((row) => [String(row["state"]), Number(row["count"])])),
  };
}

/** That something was heard is said at once; that it is done, behind the answer. */
const isAtOnce = (saying: Saying): boolean =>
  saying.kind === "typing" || (saying.kind === "mark" && saying.mark === "heard");

function outgoingOf(row: Record<string, SQLOutputValue>): Outgoing {
  const thread = row["thread"];
  return {
    seq: Number(row["seq"]),
    key: String(row["key"]),
    account: String(row["account"]),
    chat: String(row["chat"]),
    thread: typeof thread === "string" ? thread : undefined,
    saying: JSON.parse(String(row["body"])) as Saying,
    state: String(row["state"]) as Outgoing["state"],
    lane: String(row["lane"]),
    attempts: Number(row["attempts"]),
    dueAt: Number(row["due_at"]),
    createdAt: Number(row["created_at"]),
    changedAt: Number(row["changed_at"]),
    ids: row["ids"] === null ? [] : (JSON.parse(String(row["ids"])) as string[]),
  };
}
