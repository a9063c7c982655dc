import { existsSync, readdirSync, rmSync } from "node:fs";
import { join } from "node:path";

import { agentPlace, type AgentPlace, type Home } from "../contract/home.ts";
import type { Terminal } from "../contract/terminal.ts";
import { writeAtomic } from "../lib/atomic.ts";
import { FleetError } from "../lib/errors.ts";
import { makeFolder } from "../lib/folder.ts";
import { tryLock, withLock, type Lock } from "../lib/lock.ts";
import { isGone, isLiving, markedProcesses, processOf, signal } from "../lib/proc.ts";
import { until } from "../lib/wait.ts";
import { afterCrash, longestWaitMs } from "./crashes.ts";
import {
  newRecord,
  processState,
  readExit,
  readRecord,
  readRecordOrNone,
  readRun,
  writeRecord,
  writeRun,
  type Run,
  type UnitRecord,
} from "./records.ts";
import type { Supervisor, Unit, UnitView } from "./supervisor.ts";

export interface BuiltinSupervisor extends Supervisor {
  /** Looks at every unit once and restarts what ended by itself and is due. The daemon calls it again and again. */
  reconcile(): Promise<void>;
}

export interface BuiltinParts {
  home: Home;
  terminal: Terminal;
  /** The environment the terminal server itself gets; the agent's is in its launch script. */
  env: Readonly<Record<string, string>>;
  now: () => number;
  /** Makes the unit anew before a restart, so that the conversation is resumed as it is then. Called under the agent's lock. */
  remake: (name: string) => Promise<Unit | undefined>;
  /** Told of every start, end, restart and quarantine. */
  tell: (event: { agent: string; event: string; note?: string }) => void;
}

/**
 * Keeps agents alive where there is no systemd. All it knows is on disk and every act is under the agent's lock, so a
 * CLI and a daemon act alike, and either may be killed at any moment: whoever comes next reads on.
 */
export function builtinSupervisor(parts: BuiltinParts): BuiltinSupervisor {
  const { home, terminal, now, tell } = parts;
  const placeOf = (name: string) => agentPlace(home, name);
  const at = (name: string) => ({ name, socket: placeOf(name).terminal });
  const locked = <T>(name: string, work: () => Promise<T>) =>
    withLock(lockOf(home, name), { what: `agent ${name}`, patienceMs: 30_000 }, work);

  /** Opens the terminal and waits until the wrapper has said which process the agent is. Needs the lock. */
  async function launch(name: string, record: UnitRecord): Promise<void> {
    const place = placeOf(name);
    makeFolder(home.sockets);
    const before = readRun(place);
    // What is about to happen is known before it can be seen: a reader between the two finds it starting.
    writeRecord(place, { ...record, nextAt: undefined, finished: false, launchedAt: now() });
    await terminal.open(at(name), { script: place.script, cwd: "/", env: parts.env });
    const run = await until(
      () => {
        const found = readRun(place);
        return found !== undefined && (found.pid !== before?.pid || found.started !== before.started)
          ? found
          : undefined;
      },
      { withinMs: 10_000, everyMs: 10 },
    );
    if (run === undefined) {
      const exit = readExit(place);
      throw new FleetError("unreachable", `${name} did not start${exit ? ` (exit code ${exit.code})` : ""}.`, {
        hint: `mosaic fleet explain ${name}`,
      });
    }
  }

  /** Ends every process that carries the agent's mark, whatever became of its terminal. Never this process or its parents. */
  async function sweep(name: string): Promise<void> {
    const spared = ancestors();
    const strays = () =>
      markedProcesses([`MOSAIC_AGENT=${name}`, `MOSAIC_HOME=${home.root}`]).filter((pid) => !spared.has(pid));
    for (const kind of ["SIGTERM", "SIGKILL"] as const) {
      const found = strays();
      if (found.length === 0) return;
      for (const pid of found) signal(pid, kind);
      await until(() => (strays().length === 0 ? true : undefined), { withinMs: 2_000 });
    }
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

  async function restart(name: string): Promise<void> {
    const place = placeOf(name);
    const record = readRecord(place);
    const run = readRun(place);
    if (record?.want !== "up" || record.quarantined || record.finished || processState(run) !== "none") return;
    const key = run ? `${run.pid}:${run.started}` : "none";
    if (record.counted !== key) return count(name, record, key);
    if (isEarly(record, now())) return;
    let again = { ...record, restarts: record.restarts + 1 };
    try {
      const unit = await parts.remake(name);
      if (unit !== undefined) {
        writeAtomic(place.script, unit.script, { mode: 0o700 });
        again = { ...again, restart: unit.restart };
      }
    } catch (error) {
      tell({ agent: name, event: "kept-old-launch", note: error instanceof Error ? error.message : String(error) });
    }
    await terminal.close(at(name));
    await sweep(name); // whatever the last run left behind would be a second one of it
    try {
      await launch(name, again);
      tell({ agent: name, event: "restarted", note: `restart ${again.restarts}` });
    } catch (error) {
      tell({ agent: name, event: "restart-failed", note: error instanceof Error ? error.message : String(error) });
      return count(name, again, key);
    }
  }

  /** A crash becomes durable knowledge first, and only then is acted on. */
  async function count(name: string, record: UnitRecord, key: string): Promise<void> {
    const place = placeOf(name);
    const crashes = [...record.crashes.filter((time) => time <= now()), now()].slice(-20);
    // The wrapper keeps the last screen before it says the exit code; its own end is the sign that all is said.
    const wrapper = readRun(place)?.wrapper;
    await until(() => (wrapper === undefined || isGone(wrapper) ? true : undefined), { withinMs: 2_000, everyMs: 5 });
    const exit = readExit(place);
    const verdict = afterCrash(crashes, { code: exit?.code, rule: record.restart });
    const next: UnitRecord = { ...record, crashes, counted: key, nextAt: undefined };
    tell({ agent: name, event: "ended", note: exit ? `exit code ${exit.code}` : "it left no exit code" });
    if (verdict.do === "quarantine") {
      writeRecord(place, { ...next, quarantined: { at: now(), why: verdict.why } });
      tell({ agent: name, event: "quarantined", note: verdict.why });
    } else if (verdict.do === "leave") {
      writeRecord(place, { ...next, finished: true });
      tell({ agent: name, event: "left", note: verdict.why });
    } else {
      writeRecord(place, { ...next, nextAt: now() + verdict.afterMs });
      if (verdict.afterMs === 0) await restart(name);
    }
  }

  return {
    kind: "builtin",

    async install(unit) {
      await locked(unit.name, async () => {
        const place = placeOf(unit.name);
        writeAtomic(place.script, unit.script, { mode: 0o700 });
        const record = readRecordOrNone(place);
        writeRecord(place, { ...(record ?? newRecord(unit.restart)), restart: unit.restart });
      });
    },

    start: (name) =>
      locked(name, async () => {
        const place = placeOf(name);
        const record = readRecordOrNone(place);
        if (record === undefined)
          throw new FleetError("not-found", `${name} is not installed.`, { hint: "mosaic fleet start" });
        const run = readRun(place);
        const wanted: UnitRecord = {
          ...record,
          want: "up",
          crashes: [],
          quarantined: undefined,
          nextAt: undefined,
          finished: false,
        };
        if (processState(run) !== "none") {
          writeRecord(place, wanted);
          return "already";
        }
        // The end of the last run is no crash of this one.
        const fresh = { ...wanted, restarts: 0, counted: run ? `${run.pid}:${run.started}` : "none" };
        writeRecord(place, fresh);
        await terminal.close(at(name)); // a terminal whose agent is gone holds nothing but its socket
        await sweep(name);
        await launch(name, fresh);
        tell({ agent: name, event: "started" });
        return "started";
      }),

    stop: (name, how) =>
      locked(name, async () => {
        const place = placeOf(name);
        const record = readRecordOrNone(place);
        if (record === undefined && existsSync(place.unit)) writeRecord(place, newRecord("always"));
        else if (record !== undefined && (record.want !== "down" || record.quarantined)) {
          writeRecord(place, {
            ...record,
            want: "down",
            crashes: [],
            quarantined: undefined,
            nextAt: undefined,
            finished: false,
          });
        }
        const run = readRun(place);
        const lived = processState(run) !== "none";
        if (run !== undefined && lived) {
          signal(run.pid, "SIGCONT"); // a frozen agent could not end itself
          await how.ask();
          const gone = (withinMs: number) => until(() => (isLiving(run) ? undefined : true), { withinMs, everyMs: 20 });
          if (!(await gone(how.graceMs))) {
            signal(run.pid, "SIGTERM");
            if (!(await gone(3_000))) signal(run.pid, "SIGKILL");
            await gone(3_000);
          }
          // The wrapper writes the exit code and the last screen; its terminal then ends by itself.
          await until(() => (isGone(run.wrapper) ? true : undefined), { withinMs: 2_000, everyMs: 20 });
        }
        await terminal.close(at(name));
        await sweep(name);
        if (lived) tell({ agent: name, event: "stopped" });
        return lived ? "stopped" : "already";
      }),

    observe: (names) => new Map(names.map((name) => [name, viewOf(placeOf(name))])),

    known() {
      try {
        return readdirSync(home.agents).toSorted();
      } catch {
        return [];
      }
    },

    async remove(name) {
      await locked(name, async () => {
        const place = placeOf(name);
        if (processState(readRun(place)) !== "none") {
          throw new FleetError("conflict", `${name} is running.`, { hint: `mosaic fleet stop ${name}` });
        }
        rmSync(place.dir, { recursive: true, force: true });
      });
    },

    async reconcile() {
      for (const name of this.known()) {
        const last = living.get(name);
        const place = placeOf(name);
        if (last !== undefined && isLiving(last) && !isGone(last.server)) {
          // Nearly always: two reads, no more. A lost record is written again from what is known.
          if (!existsSync(place.pid)) writeRun(place, last);
          continue;
        }
        living.delete(name);
        let record: UnitRecord | undefined;
        try {
          record = readRecord(place);
        } catch {
          continue; // cannot be read: nothing can be said, so nothing is done
        }
        if (record?.want !== "up" || record.quarantined || record.finished) continue;
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
    },
  };
}

/** How long an agent without a terminal may take to end by itself, and then again after it was asked to. */
const lostMs = 5_000;

/** Still waiting for its next try. A time far ahead is a clock that was set back, and waits for nobody. */
const isEarly = ({ nextAt }: UnitRecord, now: number): boolean =>
  nextAt !== undefined && nextAt > now && nextAt - now <= longestWaitMs;

const lockOf = (home: Home, name: string): string => join(home.locks, `${name}.lock`);

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
    process,
    pid: process === "none" ? undefined : run?.pid,
    since: process === "none" ? undefined : run?.at,
    restarts: record?.restarts ?? 0,
    exit: process === "none" ? readExit(place) : undefined,
    launching: process === "none" && record?.want === "up" && isFresh(record.launchedAt, readExit(place)?.at),
    nextAt: record?.nextAt,
    quarantined: record?.quarantined,
    readable,
  };
}

/** How long a launch may take to say which process it is. */
const launchMs = 10_000;
const isFresh = (launchedAt: number | undefined, exitAt: number | undefined): boolean =>
  launchedAt !== undefined && Date.now() - launchedAt < launchMs && (exitAt ?? 0) < launchedAt;

function ancestors(): Set<number> {
  const found = new Set<number>();
  for (let pid = process.pid; pid > 1 && !found.has(pid); pid = processOf(pid)?.parent ?? 0) found.add(pid);
  return found;
}
