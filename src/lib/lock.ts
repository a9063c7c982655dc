import { dirname } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { setTimeout as pause } from "node:timers/promises";

import { FleetError, wordSystemFault } from "./errors.ts";
import { makeFolder } from "./folder.ts";

/** A held lock. Given back by `release`, or by the kernel when the holder dies, however it dies. */
export interface Lock {
  release(): void;
}

const busy = 5; // SQLITE_BUSY

/**
 * Takes the lock if it is free, else answers undefined at once.
 * Node has no flock: an exclusive SQLite transaction on an empty file is the kernel lock that every Node has.
 */
export function tryLock(path: string): Lock | undefined {
  try {
    makeFolder(dirname(path));
    const file = new DatabaseSync(path);
    try {
      file.exec("PRAGMA busy_timeout=0; BEGIN EXCLUSIVE");
    } catch (error) {
      file.close();
      if (error instanceof Error && "errcode" in error && error.errcode === busy) return undefined;
      throw error;
    }
    return { release: () => file.close() };
  } catch (error) {
    throw wordSystemFault(sqliteFault(error), `lock ${path}`);
  }
}

/** Waits for the lock, at most `patienceMs`; then names what is locked. */
async function holdLock(path: string, options: { patienceMs?: number; what: string }): Promise<Lock> {
  const deadline = Date.now() + (options.patienceMs ?? 20_000);
  for (;;) {
    const lock = tryLock(path);
    if (lock !== undefined) return lock;
    if (Date.now() > deadline) {
      throw new FleetError("conflict", `Another mosaic command is still busy with ${options.what}.`, {
        hint: "wait for it to end, then type the same command again",
      });
    }
    await pause(20);
  }
}

/** Runs the work while holding the lock. */
export async function withLock<T>(
  path: string,
  options: { patienceMs?: number; what: string },
  work: () => Promise<T> | T,
): Promise<T> {
  const lock = await holdLock(path, options);
  try {
    return await work();
  } finally {
    lock.release();
  }
}

/** SQLite words a full disk or a read-only folder in its own codes; say the system's instead. */
function sqliteFault(error: unknown): unknown {
  if (!(error instanceof Error) || !("errcode" in error) || typeof error.errcode !== "number") return error;
  const code = { 13: "ENOSPC", 8: "EROFS", 14: "EACCES" }[error.errcode & 0xff];
  return code === undefined ? error : Object.assign(new Error(error.message), { code });
}
