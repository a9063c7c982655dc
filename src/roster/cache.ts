import { readFileSync, statSync } from "node:fs";
import { join } from "node:path";

import { writeAtomic } from "../lib/atomic.ts";
import type { LoadedRoster } from "./load.ts";

/** Raise it when LoadedRoster changes shape, so an older cache is not believed. */
const shape = 2;

/**
 * The checked roster, from a cache while the file is unchanged (size, mtime, inode): `ps`, `send` and `status` then
 * load neither zod nor yaml (81 ms of a cold start). The file stays the truth; a cache that cannot be read is made anew.
 */
export async function readRoster(path: string, cacheDir: string, userHome: string): Promise<LoadedRoster> {
  const cache = join(cacheDir, "roster.json");
  const mark = markOf(path, userHome);
  if (mark !== undefined) {
    try {
      const kept = JSON.parse(readFileSync(cache, "utf8")) as { mark: string; roster: LoadedRoster };
      if (kept.mark === mark) return kept.roster;
    } catch {
      // no cache, or half of one
    }
  }
  const { loadRoster } = await import("./load.ts");
  const roster = loadRoster(path, userHome);
  if (mark !== undefined && mark === markOf(path, userHome)) {
    try {
      writeAtomic(cache, JSON.stringify({ mark, roster }), { durable: false });
    } catch {
      // a cache that cannot be written (read-only home) costs time, nothing else
    }
  }
  return roster;
}

function markOf(path: string, userHome: string): string | undefined {
  try {
    const { size, mtimeNs, ino } = statSync(path, { bigint: true });
    return `${shape}.${size}.${mtimeNs}.${ino}.${userHome}`;
  } catch {
    return undefined;
  }
}
