import { setTimeout as pause } from "node:timers/promises";

import { isLiving, signal } from "../src/lib/proc.ts";
import { until } from "../src/lib/wait.ts";
import type { Ground } from "./ground.ts";
import type { LiveFleet } from "./live-fleet.ts";
import type { Row } from "./rows.ts";

/** Each crash is another agent's, since one that crashes often is made to wait. */
const crashes = 10;
const pollMs = 2;
/** Longer than this is as good as never. */
const patienceMs = 10_000;

/** From `kill -9` of an agent until its next process is on record and lives. */
export async function measureCrash(ground: Ground, fleet: LiveFleet): Promise<Row[]> {
  ground.tell(`crash: kill -9 of ${crashes} agents, one after another`);
  const row = { what: "kill -9 to running again", unit: "ms", goal: { of: "max", atMost: 1_000 } } as const;
  const samples: number[] = [];
  for (const [at, name] of fleet.names.slice(0, crashes).entries()) {
    // Uneven, so that the daemon's own rhythm is met at every phase.
    await pause(300 + at * 37, undefined, { signal: ground.signal });
    const took = await crashToRunning(fleet, name, ground.signal);
    samples.push(took ?? patienceMs);
    if (took === undefined) return [{ ...row, samples, note: `${name} was not back after ${patienceMs / 1_000} s` }];
  }
  return [{ ...row, samples }];
}

async function crashToRunning(fleet: LiveFleet, name: string, abort: AbortSignal): Promise<number | undefined> {
  const before = fleet.run(name);
  if (before === undefined || !isLiving(before)) throw new Error(`${name} does not run`);
  const began = performance.now();
  signal(before.pid, "SIGKILL");
  const back = await until(
    () => {
      if (abort.aborted) throw new Error("interrupted");
      const run = fleet.run(name);
      const isNew = run !== undefined && (run.pid !== before.pid || run.started !== before.started);
      return isNew && isLiving(run) ? performance.now() : undefined;
    },
    { withinMs: patienceMs, everyMs: pollMs },
  );
  return back && back - began;
}
