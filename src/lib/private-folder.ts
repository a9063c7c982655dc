import { chmodSync, lstatSync, mkdirSync } from "node:fs";

import { FleetError, wordSystemFault } from "./errors.ts";

/** Makes sure of a folder that only this user can enter. Refuses one that somebody else made there before. */
export function privateFolder(path: string, uid: number): void {
  try {
    mkdirSync(path, { recursive: true, mode: 0o700 });
  } catch (error) {
    throw wordSystemFault(error, `create ${path}`);
  }
  const found = lstatSync(path);
  if (!found.isDirectory() || found.uid !== uid) {
    throw new FleetError("conflict", `${path} belongs to another user; sockets in it would not be safe.`, {
      hint: `look who made it: ls -ld ${path}`,
    });
  }
  if ((found.mode & 0o077) !== 0) chmodSync(path, 0o700);
}
