import { existsSync, rmSync } from "node:fs";

import { agentPlace, type Home } from "../contract/home.ts";
import type { Terminal } from "../contract/terminal.ts";
import { FleetError } from "../lib/errors.ts";
import { makeFolder } from "../lib/folder.ts";
import { tryLock, type Lock } from "../lib/lock.ts";
import { isGone, isLiving, signal } from "../lib/proc.ts";
import { drain } from "./drain.ts";
import { atRest, countEnd, forgiven, isEarly, isWanted, launchedNow, type Tell } from "./ends.ts";
import { untilLaunched } from "./launched.ts";
import {
  keyOf,
  newRecord,
  processState,
  readRecord,
  readRecordOrNone,
  readRun,
  writeRecord,
  writeRun,
  type Run,
  type UnitRecord,
} from "./records.ts";
import { endStrays } from "./strays.ts";
import type { Supervisor, Unit, Units } from "./supervisor.ts";
import { lockOf, whileLocked, writeLaunch } from "./units.ts";

export interface SupervisorParts {
  home: Home;
  units: Units;
  terminal: Terminal;
  /** The environment the terminal server itself gets; the agent's is in its launch script. */
  env: Readonly<Record<string, string>>;
  now: () => number;
  /** Makes the unit anew before a restart, so that the conversation is resumed as it is then. */
  remake: (name: string) => Promise<Unit | undefined>;
  tell: Tell;
}

/**
 * Keeps agents alive where there is no systemd. All it knows is on disk and every act is under the agent's lock, so a
 * CLI and a daemon act alike, and either may be killed at any moment: whoever comes next reads on.
 */
export function builtinSupervisor(parts: SupervisorParts): Supervisor {
  const { home, units, terminal, now, tell } = parts;
  const placeOf = (name: string) => agentPlace(home, name);
  const at = (name: string) => ({ name, socket: placeOf(name).terminal });

  /** Opens the terminal and waits for the agent's process. Needs the lock. */
  async function launch(name: string, record: UnitRecord): Promise<void> {
    const place = placeOf(name);
    await terminal.close(at(name)); // a terminal whose agent is gone holds nothing but its socket
    await endStrays(home, name); // whatever the last run left behind would be a second one of it
    makeFolder(home.sockets);
    const before = keyOf(readRun(place));
    rmSync(place.exit, { force: true });
    // What is about to happen is known before it can be seen: a reader between the two finds it starting.
    writeRecord(place, launchedNow(record, now()));
    await terminal.open(at(name), { script: place.script, cwd: "/", env: parts.env });
    await untilLaunched(name, place, before);
  }

  /** What the last look found alive, and since when a look finds an agent without its terminal. Lost with the daemon. */
  const living = new Map<string, Run>();
  const lostSince = new Map<string, number>();

  /** Its terminal was taken away and it did not end of that: nobody could ever see it again. It may still save. */
  function endLost(name: string, run: Run): void {
    const since = lostSince.get(name) ?? now();
    lostSince.set(name, since);
    const ms = now() - since;
    if (ms > lostMs) signal(run.pid, ms > 2 * lostMs ? "SIGKILL" : "SIGTERM");
  }

  /** Needs the lock. */
  async function restart(name: string): Promise<void> {
    const place = placeOf(name);
    let record = readRecord(place);
    const isMine = (one: UnitRecord | undefined): one is UnitRecord => isWanted(one) && one.by === "builtin";
    if (!isMine(record) || processState(readRun(place)) !== "none") return;
    record = await countEnd({ name, place, record, now: now(), tell });
    if (!isMine(record) || isEarly(record, now())) return;
    let again: UnitRecord = { ...record, restarts: record.restarts + 1 };
    try {
      const unit = await parts.remake(name);
      if (unit !== undefined) {
        writeLaunch(place, unit);
        again = { ...again, restart: unit.restart, limits: unit.limits };
      }
    } catch (error) {
      tell({ agent: name, event: "kept-old-launch", note: error instanceof Error ? error.message : String(error) });
    }
    try {
      await launch(name, again);
      tell({ agent: name, event: "restarted", note: `restart ${again.restarts}` });
    } catch (error) {
      tell({ agent: name, event: "restart-failed", note: error instanceof Error ? error.message : String(error) });
      const failed = readRecord(place);
      if (failed !== undefined) await countEnd({ name, place, record: failed, now: now(), tell });
    }
  }

  return {
    kind: "builtin",

    start: (name) =>
      whileLocked(home, name, async () => {
        const place = placeOf(name);
        const record = readRecordOrNone(place);
        if (record === undefined)
          throw new FleetError("not-found", `${name} is not installed.`, { hint: "mosaic fleet start" });
        if (processState(readRun(place)) !== "none") {
          writeRecord(place, { ...forgiven(record), counted: record.counted });
          return "already";
        }
        const fresh: UnitRecord = { ...forgiven(record), by: "builtin", restarts: 0 };
        writeRecord(place, fresh);
        await launch(name, fresh);
        tell({ agent: name, event: "started" });
        return "started";
      }),

    stop: (name, how) =>
      whileLocked(home, name, async () => {
        const place = placeOf(name);
        const record = readRecordOrNone(place);
        if (record !== undefined) writeRecord(place, atRest(record));
        else if (existsSync(place.unit)) writeRecord(place, newRecord("always"));
        const lived = await drain(place, how);
        await terminal.close(at(name));
        await endStrays(home, name);
        if (lived) tell({ agent: name, event: "stopped" });
        return lived ? "stopped" : "already";
      }),

    async reconcile() {
      let kept = 0;
      for (const name of units.known()) {
        const last = living.get(name);
        const place = placeOf(name);
        if (last !== undefined && isLiving(last) && !isGone(last.server)) {
          // Nearly always: two reads, no more. A lost record is written again from what is known.
          if (!existsSync(place.pid)) writeRun(place, last);
          kept++;
          continue;
        }
        living.delete(name);
        let record: UnitRecord | undefined;
        try {
          record = readRecord(place);
        } catch {
          continue; // cannot be read: nothing can be said, so nothing is done
        }
        if (!isWanted(record) || record.by !== "builtin") continue;
        kept++;
        if (isEarly(record, now())) continue;
        const run = readRun(place);
        if (run !== undefined && processState(run) !== "none") {
          if (isGone(run.server)) endLost(name, run);
          else living.set(name, run);
          continue;
        }
        lostSince.delete(name);
        // One agent's fault must not take supervision from the others.
        let lock: Lock | undefined;
        try {
          lock = tryLock(lockOf(home, name));
          if (lock !== undefined) await restart(name); // else somebody is at it
        } catch (error) {
          tell({ agent: name, event: "fault", note: error instanceof Error ? error.message : String(error) });
        } finally {
          lock?.release();
        }
      }
      return kept;
    },
  };
}

/** How long an agent without a terminal may take to end by itself, and then again after it was asked to. */
const lostMs = 5_000;
