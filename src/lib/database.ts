import type { DatabaseSync, SQLOutputValue } from "node:sqlite";

import { FleetError } from "./errors.ts";
import { makeFolder } from "./folder.ts";
import { sqlite } from "./sqlite.ts";

/** What one database is: where, what is in it for people, and every change of its shape, oldest first. */
interface Shape {
  path: string;
  /** As in "The messages in PATH cannot be changed". */
  what: string;
  migrations: readonly string[];
}

/** An open database. What `atOnce` returns is durable; a fault that a person can mend comes as a sentence. */
export interface Database {
  readonly db: DatabaseSync;
  /** All or nothing. */
  readonly atOnce: <T>(work: () => T) => T;
  /** Whether anybody else has changed anything since the last question. Costs nothing. */
  readonly hasChanged: () => boolean;
  readonly close: () => void;
}

const longestWaitMs = 10_000;

/** A column of people's words, for `wholeTextOf` to read: Node 22 cuts a text off at its first NUL, but no bytes. */
export const wholeText = (column: string): string =>
  `CASE WHEN instr(${column}, char(0)) THEN CAST(${column} AS BLOB) ELSE ${column} END AS ${column}`;
/** The words out of such a column; undefined where there are none. */
export const wholeTextOf = (value: SQLOutputValue | undefined): string | undefined =>
  value instanceof Uint8Array
    ? Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString("utf8")
    : typeof value === "string"
      ? value
      : undefined;

/** Opens a database, and makes it where it is not there, for its owner only. */
export function openDatabase(shape: Shape): Database {
  return worded(shape, () => {
    makeFolder(shape.path.slice(0, shape.path.lastIndexOf("/")));
    const { DatabaseSync } = sqlite();
    const before = process.umask(0o077);
    try {
      const db = new DatabaseSync(shape.path, { timeout: longestWaitMs });
      db.exec("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL");
      migrate(db, shape);
      return databaseOn(db, shape);
    } finally {
      process.umask(before);
    }
  });
}

function databaseOn(db: DatabaseSync, shape: Shape): Database {
  let seenVersion = -1;
  return {
    db,
    atOnce: (work) =>
      worded(shape, () => {
        db.exec("BEGIN IMMEDIATE");
        try {
          const result = work();
          db.exec("COMMIT");
          return result;
        } catch (error) {
          if (db.isTransaction) db.exec("ROLLBACK");
          throw error;
        }
      }),
    hasChanged() {
      const version = Number(db.prepare("PRAGMA data_version").get()?.["data_version"]);
      const changed = version !== seenVersion;
      seenVersion = version;
      return changed;
    },
    close: () => db.close(),
  };
}

/** Brings a database to the shape that this version reads; refuses one of a newer version. */
function migrate(db: DatabaseSync, { path, migrations }: Shape): void {
  const version = () => Number(db.prepare("PRAGMA user_version").get()?.["user_version"] ?? 0);
  if (version() === migrations.length) return;
  db.exec("BEGIN IMMEDIATE");
  try {
    const had = version(); // another process may have been faster
    if (had > migrations.length) {
      throw new FleetError("conflict", `${path} was written by a newer mosaic.`, { hint: "update mosaic" });
    }
    for (const change of migrations.slice(had)) db.exec(change);
    db.exec(`PRAGMA user_version = ${migrations.length}; COMMIT`);
  } catch (error) {
    db.exec("ROLLBACK");
    throw error;
  }
}

/** SQLite's primary result codes, for people. */
const faults: Record<number, string> = {
  5: "another process has kept it locked",
  8: "it is read-only",
  10: "the disk does not answer as it should",
  11: "it is damaged",
  13: "no space is left on the disk",
  14: "it cannot be opened",
  26: "it is no database of ours",
};

/** Why a database that is there cannot be used; undefined where nothing is wrong with it, or where it is not there. Changes nothing. */
export function whyUnusable(path: string): string | undefined {
  if (!process.getBuiltinModule("node:fs").existsSync(path)) return undefined;
  const { DatabaseSync } = sqlite();
  try {
    const db = new DatabaseSync(path, { readOnly: true, timeout: 1_000 });
    try {
      const found = Object.values(db.prepare("PRAGMA quick_check(1)").get() ?? {})[0];
      return found === "ok" ? undefined : faults[11];
    } finally {
      db.close();
    }
  } catch (error) {
    const code = error instanceof Error && "errcode" in error ? Number(error.errcode) & 0xff : 0;
    return faults[code] ?? (error instanceof Error ? error.message : String(error));
  }
}

function isFull(path: string): boolean {
  try {
    const { bavail, bsize } = process.getBuiltinModule("node:fs").statfsSync(path);
    return bavail * bsize < 64 * 1024;
  } catch {
    return false;
  }
}

function worded<T>({ path, what }: Shape, work: () => T): T {
  try {
    return work();
  } catch (error) {
    const code = error instanceof Error && "errcode" in error && typeof error.errcode === "number" ? error.errcode : 0;
    // A full disk shows as a fault of the shared memory file too.
    const why = (code & 0xff) === 10 && isFull(path) ? faults[13] : faults[code & 0xff];
    if (why === undefined) throw error;
    throw new FleetError("conflict", `The ${what} in ${path} cannot be changed: ${why}. Nothing was accepted.`, {
      hint: "mosaic fleet doctor",
      cause: error,
    });
  }
}
