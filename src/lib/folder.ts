import { chmodSync, existsSync, lstatSync, mkdirSync } from "node:fs";
import { dirname } from "node:path";

import { FleetError, systemCode, wordSystemFault } from "./errors.ts";

/** Makes sure of a folder, private to the user where it is made. A read-only disk is said to be one. */
export function makeFolder(path: string): void {
  try {
    mkdirSync(path, { recursive: true, mode: 0o700 });
  } catch (error) {
    throw wordSystemFault(systemCode(error) === "ENOENT" ? realFault(path, error) : error, `create ${path}`);
  }
}

/** Node says ENOENT for a recursive mkdir on a read-only file system; a plain one says why. */
function realFault(path: string, error: unknown): unknown {
  let missing = path;
  while (dirname(missing) !== missing && !existsSync(dirname(missing))) missing = dirname(missing);
  try {
    mkdirSync(missing, { mode: 0o700 });
    return error;
  } catch (plain) {
    return plain;
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
