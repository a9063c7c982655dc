import { readFileSync, statSync } from "node:fs";
import { join } from "node:path";

import type { Agent } from "../contract/agent.ts";
import type { Found, Harness } from "../harness/harness.ts";
import { writeAtomic } from "../lib/atomic.ts";
import { FleetError } from "../lib/errors.ts";
import type { World } from "./world.ts";

/** The CLI that will run an agent, with its version; says how to get it where it is missing. */
export async function findHarness(world: World, harness: Harness, agent: Agent): Promise<Found> {
  const path = harness.locate(agent, world.search);
  if (path === undefined) {
    const what = harness.runtime === "command" ? (agent.command?.[0] ?? "its command") : harness.runtime;
    throw new FleetError("not-found", `${agent.name} needs ${what}, which is not on the search path.`, {
      hint: harness.install,
    });
  }
  return { path, version: await versionOf(world, harness, path) };
}

/** The version, remembered while the file is the same: asking costs a start of the CLI, and a crash should not wait for it. */
export async function versionOf(world: World, harness: Harness, path: string): Promise<string | undefined> {
  const { size, mtimeMs } = statSync(path);
  const key = `${path}:${size}:${mtimeMs}`;
  const cache = join(world.home.cache, `${harness.runtime}-version.json`);
  try {
    const kept = JSON.parse(readFileSync(cache, "utf8")) as { key: string; version: string };
    if (kept.key === key) return kept.version;
  } catch {
    // not asked yet
  }
  const version = await harness.version(path, world.search);
  if (version !== undefined) {
    try {
      writeAtomic(cache, JSON.stringify({ key, version }), { durable: false });
    } catch {
      // a memory that cannot be written costs time, nothing else
    }
  }
  return version;
}
