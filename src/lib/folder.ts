import { chmodSync, existsSync, lstatSync, mkdirSync, statSync } from "node:fs";
import { dirname } from "node:path";

import { FleetError, systemCode, wordSystemFault } from "./errors.ts";

/**
 * Makes sure of a folder, private to the user where it is made. Folder by folder: Node's own recursive way says ENOENT
 * for a read-only disk, and never ends where the kernel refuses new folders altogether (/proc).
 */
export function makeFolder(path: string): void {
  if (existsSync(path) && statSync(path).isDirectory()) return;
  if (dirname(path) !== path) makeFolder(dirname(path));
  try {
    mkdirSync(path, { mode: 0o700 });
  } catch (error) {
    if (systemCode(error) === "EEXIST" && statSync(path).isDirectory()) return; // somebody was faster
    throw wordSystemFault(error, `create ${path}`);
  }
}

/** Makes sure of a folder that only this user can enter. Refuses one that somebody else made there before. */
export function privateFolder(path: string, uid: number): void {
  makeFolder(path);
  const found = lstatSync(path);
  if (!found.isDirectory() || found.uid !== uid) {
    throw new FleetError("conflict", `${path} belongs to another user; sockets in it would not be safe.`, {
      hint: `look who made it: ls -ld ${path}`,
    });
  }
  if ((found.mode & 0o077) !== 0) chmodSync(path, 0o700);
}
