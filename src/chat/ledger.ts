import type { SQLOutputValue } from "node:sqlite";

import type { Attachment, Inbound, Target } from "../connector/connector.ts";
import { openDatabase, wholeText, wholeTextOf, type Database } from "../lib/database.ts";
import type { Standing } from "./access.ts";
import { migrations } from "./schema.ts";

/** Something that an admitted person said, and how far it got: `begun` is a command of which a crash would leave open whether it ran. */
export interface Heard extends Target {
  seq: number;
  account: string;
  id: string;
  kind: Inbound["kind"];
  saidAt: number;
  heardAt: number;
  speaker: string;
  speakerName: string;
  standing: Standing;
  isDirect: boolean;
  isToUs: boolean;
  /** Something newer of the same chat had been handed on before this came. */
  isLate: boolean;
  text: string;
  choice: string | undefined;
  files: readonly Attachment[];
  state: "new" | "begun" | "passed" | "stale" | "done";
  /** The message that it became. */
  letter: string | undefined;
  /** What its sender was told last about its way. */
  told: string | undefined;
}

/** What is kept of the chats: one table of what came in. What goes out, prompts and pairings stand on the same database. */
export interface Ledger {
  readonly database: Database;
  /** False where the same thing is there already. Called within a transaction. */
  add(account: string, inbound: Inbound, standing: Standing, now: number): boolean;
  /** The message with that id, where somebody admitted has written it. */
  find(account: string, chat: string, id: string): Heard | undefined;
  /** What became that message. */
  ofLetter(letter: string): Heard | undefined;
  /** What was said under that id before that row. */
  before(account: string, chat: string, id: string, seq: number): Heard | undefined;
  /** What waits to be handed on next, by the chat's own order. */
  next(account: string, chat: string): Heard | undefined;
  /** The chats of which something waits to be handed on. */
  freshChats(account: string): string[];
  /** What has come in after that row and waits. */
  since(account: string, seq: number): Heard[];
  /** What became a message and is not answered yet. */
  passed(account: string): Heard[];
  stale(account: string, chat: string): Heard[];
  mark(seq: number, state: Heard["state"], more?: { letter?: string; told?: string }): void;
  /** Chats of which something was heard, and the newest message of each. */
  chats(account: string): Map<string, string>;
  /** The direct chat in which that person spoke last. */
  directChat(account: string, speaker: string): string | undefined;
  cursor(account: string, key: string): string | undefined;
  setCursor(account: string, key: string, value: string): void;
  /** Notes a decision about somebody, once for each message. False where it was noted before. */
  audit(entry: {
    at: number;
    account: string;
    chat: string;
    speaker: string;
    message: string;
    decision: string;
    note?: string;
  }): boolean;
  audited(account: string, speaker: string, decision: string, since: number): number;
  prune(before: number): void;
  /** Ends everything of an account that is no more: another one of that name shall not say what was meant for this one's chats. */
  forget(account: string): void;
}

const columns = `seq, account, chat, thread, id, kind, said_at, heard_at, speaker, speaker_name, standing, direct, to_us,
  late, ${wholeText("text")}, choice, files, state, letter, told`;

/** So much longer than the rest who decided what is kept. */
const yearMs = 365 * 86_400_000;

export function openLedger(path: string): Ledger {
  const database = openDatabase({ path, what: "chats", migrations });
  const { db, atOnce } = database;
  const sql = {
    add: db.prepare(`INSERT OR IGNORE INTO heard (account, chat, thread, id, kind, revision, ord, said_at, heard_at, speaker,
      speaker_name, standing, direct, to_us, late, text, choice, files, state)
      VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?,
        EXISTS (SELECT 1 FROM heard WHERE account = ? AND chat = ? AND ord > ? AND letter IS NOT NULL), ?, ?, ?, 'new')`),
    find: db.prepare(
      `SELECT ${columns} FROM heard WHERE account = ? AND chat = ? AND id = ? AND kind IN ('message', 'edit') ORDER BY seq DESC LIMIT 1`,
    ),
    ofLetter: db.prepare(`SELECT ${columns} FROM heard WHERE letter = ?`),
    before: db.prepare(
      `SELECT ${columns} FROM heard WHERE account = ? AND chat = ? AND id = ? AND seq < ? AND kind IN ('message', 'edit') ORDER BY seq DESC LIMIT 1`,
    ),
    // Named, since what was heard in months must not be read for each message.
    next: db.prepare(`SELECT ${columns} FROM heard INDEXED BY heard_waiting WHERE account = ? AND chat = ?
      AND state IN ('new', 'begun') ORDER BY ord, seq LIMIT 1`),
    freshChats: db.prepare(
      "SELECT DISTINCT chat FROM heard INDEXED BY heard_waiting WHERE account = ? AND state IN ('new', 'begun')",
    ),
    since: db.prepare(`SELECT ${columns} FROM heard INDEXED BY heard_waiting WHERE seq > ? AND account = ?
      AND state IN ('new', 'begun') AND state = 'new' ORDER BY seq`),
    inState: db.prepare(
      `SELECT ${columns} FROM heard INDEXED BY heard_open WHERE account = ? AND state <> 'done' AND state = ? ORDER BY seq`,
    ),
    mark: db.prepare(
      "UPDATE heard SET state = ?, letter = coalesce(?, letter), told = coalesce(?, told) WHERE seq = ?",
    ),
    chats: db.prepare(`SELECT chat, id FROM heard AS one WHERE account = ? AND kind = 'message'
      AND ord = (SELECT max(ord) FROM heard WHERE account = one.account AND chat = one.chat AND kind = 'message')`),
    direct: db.prepare(
      "SELECT chat FROM heard WHERE account = ? AND speaker = ? AND direct = 1 ORDER BY seq DESC LIMIT 1",
    ),
    cursor: db.prepare("SELECT value FROM cursors WHERE account = ? AND key = ?"),
    setCursor: db.prepare("INSERT OR REPLACE INTO cursors (account, key, value) VALUES (?, ?, ?)"),
    audit: db.prepare(
      "INSERT OR IGNORE INTO audit (at, account, chat, speaker, message, decision, note) VALUES (?, ?, ?, ?, ?, ?, ?)",
    ),
    audited: db.prepare(
      "SELECT count(*) AS count FROM audit WHERE account = ? AND (? = '' OR speaker = ?) AND decision = ? AND at > ?",
    ),
    forget: [
      "UPDATE heard SET state = 'done' WHERE account = ? AND state <> 'done'",
      "UPDATE outbox SET state = 'failed', why = 'its account was removed' WHERE account = ? AND state IN ('new', 'sending')",
      "DELETE FROM prompts WHERE account = ?",
      "DELETE FROM pairings WHERE account = ?",
      "DELETE FROM cursors WHERE account = ?",
    ].map((what) => db.prepare(what)),
    // What it heard is no chat and no direct line of the next one's; a name with a blank is nobody's.
    setApart: db.prepare("UPDATE heard SET account = ? WHERE account = ?"),
    prune: [
      // The newest of each person in each chat stays: where somebody has written before, what is missed is fetched.
      `heard WHERE state = 'done' AND heard_at < ? AND EXISTS (SELECT 1 FROM heard AS newer WHERE newer.account = heard.account
        AND newer.chat = heard.chat AND newer.ord > heard.ord AND newer.speaker = heard.speaker AND newer.kind = 'message')`,
      "outbox WHERE state NOT IN ('new', 'sending') AND changed_at < ?",
      "prompts WHERE state <> 'open' AND expires_at < ?",
      "pairings WHERE expires_at < ?",
      `audit WHERE at + ${yearMs} < ?`,
    ].map((what) => db.prepare(`DELETE FROM ${what}`)),
  };
  const one = (row: Row | undefined) => (row === undefined ? undefined : heardOf(row));
  return {
    database,
    add(account, inbound, standing, now) {
      const {
        chat,
        thread,
        id,
        kind,
        revision = "",
        order,
        at,
        speaker,
        isDirect,
        isToUs,
        text,
        choice,
        files,
      } = inbound;
      const said = [account, chat, thread ?? null, id, kind, revision, order, at, now];
      const by = [speaker.id, speaker.name, standing, Number(isDirect), Number(isToUs)];
      const { changes } = sql.add.run(
        ...said,
        ...by,
        account,
        chat,
        order,
        text,
        choice ?? null,
        JSON.stringify(files),
      );
      return Number(changes) === 1;
    },
    find: (account, chat, id) => one(sql.find.get(account, chat, id)),
    ofLetter: (letter) => one(sql.ofLetter.get(letter)),
    before: (account, chat, id, seq) => one(sql.before.get(account, chat, id, seq)),
    next: (account, chat) => one(sql.next.get(account, chat)),
    freshChats: (account) => sql.freshChats.all(account).map((row) => String(row["chat"])),
    since: (account, seq) => sql.since.all(seq, account).map(heardOf),
    passed: (account) => sql.inState.all(account, "passed").map(heardOf),
    stale: (account, chat) =>
      sql.inState
        .all(account, "stale")
        .map(heardOf)
        .filter((row) => row.chat === chat),
    mark: (seq, state, { letter, told } = {}) =>
      void atOnceOrWithin(database, () => sql.mark.run(state, letter ?? null, told ?? null, seq)),
    chats: (account) => new Map(sql.chats.all(account).map((row) => [String(row["chat"]), String(row["id"])])),
    directChat: (account, speaker) => text(sql.direct.get(account, speaker)?.["chat"]),
    cursor: (account, key) => text(sql.cursor.get(account, key)?.["value"]),
    setCursor: (account, key, value) => void sql.setCursor.run(account, key, value),
    audit: ({ at, account, chat, speaker, message, decision, note }) =>
      Number(sql.audit.run(at, account, chat, speaker, message, decision, note ?? null).changes) === 1,
    audited: (account, speaker, decision, since) =>
      Number(sql.audited.get(account, speaker, speaker, decision, since)?.["count"] ?? 0),
    forget: (account) =>
      atOnce(() => {
        for (const statement of sql.forget) statement.run(account);
        sql.setApart.run(`${account} removed ${crypto.randomUUID()}`, account);
      }),
    prune: (before) => atOnce(() => void sql.prune.map((statement) => statement.run(before))),
  };
}

/** Within a transaction that runs already, or in one of its own. */
export function atOnceOrWithin<T>({ db, atOnce }: Database, work: () => T): T {
  return db.isTransaction ? work() : atOnce(work);
}

type Row = Record<string, SQLOutputValue>;
const text = (value: SQLOutputValue | undefined): string | undefined => (typeof value === "string" ? value : undefined);

function heardOf(row: Row): Heard {
  return {
    seq: Number(row["seq"]),
    account: String(row["account"]),
    chat: String(row["chat"]),
    thread: text(row["thread"]),
    id: String(row["id"]),
    kind: String(row["kind"]) as Heard["kind"],
    saidAt: Number(row["said_at"]),
    heardAt: Number(row["heard_at"]),
    speaker: String(row["speaker"]),
    speakerName: String(row["speaker_name"]),
    standing: String(row["standing"]) as Standing,
    isDirect: row["direct"] === 1,
    isToUs: row["to_us"] === 1,
    isLate: row["late"] === 1,
    text: wholeTextOf(row["text"]) ?? "",
    choice: text(row["choice"]),
    files: JSON.parse(String(row["files"])) as Attachment[],
    state: String(row["state"]) as Heard["state"],
    letter: text(row["letter"]),
    told: text(row["told"]),
  };
}
