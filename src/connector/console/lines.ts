import type { ConsoleLine } from "../../contract/console.ts";
import { openDatabase } from "../../lib/database.ts";

/** A line before it has its number. */
export type NewLine = Kept extends infer One ? (One extends Kept ? Omit<One, "seq" | "at"> : never) : never;
type Kept = Exclude<ConsoleLine, { kind: "typing" }>;

/** How many lines are kept. */
const most = 5_000;

const migrations = [
  `CREATE TABLE lines (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    key TEXT NOT NULL UNIQUE,
    at INTEGER NOT NULL,
    body TEXT NOT NULL
  ) STRICT`,
];

/** What was said here, by anybody. */
export interface Lines {
  /** Undefined where the key is there already. */
  add(key: string, line: NewLine, now: number): ConsoleLine | undefined;
  has(key: string): boolean;
  newest(count: number): ConsoleLine[];
  last(): number;
  /** An order that no line so far reaches. */
  lastOrder(): bigint;
  close(): void;
}

export function openLines(path: string): Lines {
  const { db, atOnce, close } = openDatabase({ path, what: "lines", migrations });
  const sql = {
    add: db.prepare("INSERT OR IGNORE INTO lines (key, at, body) VALUES (?, ?, ?) RETURNING seq"),
    prune: db.prepare("DELETE FROM lines WHERE seq <= ?"),
    has: db.prepare("SELECT 1 FROM lines WHERE key = ?"),
    newest: db.prepare("SELECT * FROM (SELECT * FROM lines ORDER BY seq DESC LIMIT ?) ORDER BY seq"),
    last: db.prepare("SELECT max(seq) AS seq, max(at) AS at FROM lines"),
  };
  return {
    add: (key, line, now) =>
      atOnce(() => {
        const row = sql.add.get(key, now, JSON.stringify(line));
        if (row === undefined) return undefined;
        const seq = Number(row["seq"]);
        sql.prune.run(seq - most);
        return { seq, at: now, ...line };
      }),
    has: (key) => sql.has.get(key) !== undefined,
    newest: (count) =>
      sql.newest.all(count).map((row) => ({
        seq: Number(row["seq"]),
        at: Number(row["at"]),
        ...(JSON.parse(String(row["body"])) as NewLine),
      })),
    last: () => Number(sql.last.get()?.["seq"] ?? 0),
    lastOrder: () => BigInt(Number(sql.last.get()?.["at"] ?? 0)) * 1_000n + 999n,
    close,
  };
}
