import { accessSync, constants, utimesSync } from "node:fs";
import { dirname } from "node:path";

import { FleetError, wordSystemFault } from "./errors.ts";
import { makeFolder } from "./folder.ts";
import { sqlite } from "./sqlite.ts";
import { pause } from "./wait.ts";

/** A held lock. Given back by `release`, or by the kernel when the holder dies, however it dies. */
export interface Lock {
  /** Makes its file young again: what cleans a temporary folder takes it away with the years, and then it locks nobody out. */
  renew(): void;
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
    const { DatabaseSync } = sqlite();
    const file = new DatabaseSync(path);
    try {
      file.exec("PRAGMA busy_timeout=0; BEGIN EXCLUSIVE");
    } catch (error) {
      file.close();
      if (error instanceof Error && "errcode" in error && error.errcode === busy) return undefined;
      throw error;
    }
    return {
      renew() {
        const now = new Date();
        for (const one of [path, dirname(path)]) utimesSync(one, now, now);
      },
      release: () => file.close(),
    };
  } catch (error) {
    throw wordSystemFault(realFault(error, dirname(path)), `lock ${path}`);
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

/** SQLite says "cannot open" for a full disk, a read-only folder and a foreign one alike: ask the system which it is. */
function realFault(error: unknown, folder: string): unknown {
  if (!(error instanceof Error) || !("errcode" in error) || typeof error.errcode !== "number") return error;
  if ((error.errcode & 0xff) === 13) return Object.assign(new Error(error.message), { code: "ENOSPC" });
  try {
    accessSync(folder, constants.W_OK);
    return new FleetError("conflict", `A lock in ${folder} is no file of ours.`, {
      hint: `rm -r ${folder}`,
      cause: error,
    });
  } catch (plain) {
    return plain;
  }
}
