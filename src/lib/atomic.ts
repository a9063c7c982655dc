import { closeSync, fsyncSync, openSync, renameSync, rmSync, writeSync } from "node:fs";
import { basename, dirname, join } from "node:path";

import { wordSystemFault } from "./errors.ts";
import { makeFolder } from "./folder.ts";

/**
 * Replaces a file as a whole: a reader, or a kill at any moment, sees the old text or the new and never a part.
 * Durable when it returns (file and folder are synced). Creates missing folders private to the user.
 */
export function writeAtomic(path: string, text: string, options: { mode?: number; durable?: boolean } = {}): void {
  const { mode = 0o600, durable = true } = options;
  const folder = dirname(path);
  const draft = join(folder, `.${basename(path)}.${process.pid}.${process.hrtime.bigint()}.tmp`);
  try {
    makeFolder(folder);
    const file = openSync(draft, "wx", mode);
    try {
      const bytes = Buffer.from(text);
      for (let done = 0; done < bytes.length;) done += writeSync(file, bytes, done);
      if (durable) fsyncSync(file);
    } finally {
      closeSync(file);
    }
    renameSync(draft, path);
    if (durable) syncFolder(folder);
  } catch (error) {
    rmSync(draft, { force: true });
    throw wordSystemFault(error, `write ${path}`);
  }
}

function syncFolder(folder: string): void {
  const handle = openSync(folder, "r");
  try {
    fsyncSync(handle);
  } finally {
    closeSync(handle);
  }
}
