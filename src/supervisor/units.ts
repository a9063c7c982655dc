import { existsSync, readdirSync, rmSync } from "node:fs";
import { join } from "node:path";

import { agentPlace, type AgentPlace, type Home } from "../contract/home.ts";
import { writeAtomic } from "../lib/atomic.ts";
import { FleetError } from "../lib/errors.ts";
import { withLock } from "../lib/lock.ts";
import {
  newRecord,
  processState,
  readExit,
  readRecord,
  readRecordOrNone,
  readRun,
  writeRecord,
  type UnitRecord,
} from "./records.ts";
import type { Unit, Units, UnitView } from "./supervisor.ts";

/** The lock of whoever starts, stops or installs an agent; under the builtin supervisor it guards the record too. */
export const lockOf = (home: Home, name: string): string => join(home.locks, `${name}.lock`);

/** Does something while nobody else changes that agent's record. */
export const whileLocked = <T>(home: Home, name: string, work: () => Promise<T> | T): Promise<T> =>
  withLock(lockOf(home, name), { what: `agent ${name}`, patienceMs: 30_000 }, work);

/** Changes one agent's record; undefined leaves it. Short: nobody waits for a process in here. */
export const changeRecord = (
  home: Home,
  name: string,
  change: (record: UnitRecord | undefined) => Promise<UnitRecord | undefined> | UnitRecord | undefined,
): Promise<UnitRecord | undefined> =>
  withLock(join(home.locks, `${name}.record.lock`), { what: `agent ${name}` }, async () => {
    const place = agentPlace(home, name);
    const next = await change(readRecordOrNone(place));
    if (next !== undefined) writeRecord(place, next);
    return next;
  });

/** The units of one home: what was asked of each, what is, and what happened. */
export function unitsOf(home: Home): Units {
  return {
    install: (unit) =>
      whileLocked(home, unit.name, async () => {
        const { restart, limits } = unit;
        writeLaunch(agentPlace(home, unit.name), unit);
        await changeRecord(home, unit.name, (record) => ({ ...(record ?? newRecord(restart)), restart, limits }));
      }),

    observe: (names) => new Map(names.map((name) => [name, viewOf(agentPlace(home, name))])),

    known() {
      try {
        return readdirSync(home.agents).toSorted();
      } catch {
        return [];
      }
    },

    remove: (name) =>
      whileLocked(home, name, () => {
        const place = agentPlace(home, name);
        if (processState(readRun(place)) !== "none") {
          throw new FleetError("conflict", `${name} is running.`, { hint: `mosaic fleet stop ${name}` });
        }
        rmSync(place.dir, { recursive: true, force: true });
      }),
  };
}

/** Writes the script that the next launch runs. */
export const writeLaunch = (place: AgentPlace, { script }: Pick<Unit, "script">): void =>
  writeAtomic(place.script, script, { mode: 0o700 });

function viewOf(place: AgentPlace): UnitView {
  let record: UnitRecord | undefined;
  let readable = true;
  try {
    record = readRecord(place);
  } catch {
    readable = false;
  }
  const run = readRun(place);
  const process = processState(run);
  // Asked to be up, and nobody knows which process it is: that is no word about whether it lives.
  if (record?.want === "up" && run === undefined && !record.quarantined && !existsSync(place.exit)) {
    readable = isFresh(record.launchedAt, undefined);
  }
  return {
    wanted: record?.want ?? "never",
    by: record?.by,
    process,
    pid: process === "none" ? undefined : run?.pid,
    since: process === "none" ? undefined : run?.at,
    restarts: record?.restarts ?? 0,
    exit: process === "none" ? readExit(place) : undefined,
    // Over once it has said which process it is, or how it ended.
    launching:
      process === "none" &&
      record?.want === "up" &&
      isFresh(record.launchedAt, Math.max(readExit(place)?.at ?? 0, run?.at ?? 0)),
    nextAt: record?.nextAt,
    quarantined: record?.quarantined,
    readable,
  };
}

/** How long a launch may take to say which process it is. */
const launchMs = 10_000;
const isFresh = (launchedAt: number | undefined, exitAt: number | undefined): boolean =>
  launchedAt !== undefined && Date.now() - launchedAt < launchMs && (exitAt ?? 0) < launchedAt;
