import { rmSync } from "node:fs";

import { agentPlace } from "../../contract/home.ts";
import { FleetError } from "../../lib/errors.ts";
import type { Ran } from "../../lib/exec.ts";
import { makeFolder } from "../../lib/folder.ts";
import { isLiving } from "../../lib/proc.ts";
import { pause } from "../../lib/wait.ts";
import type { SupervisorParts } from "../builtin.ts";
import { drain } from "../drain.ts";
import { atRest, countEnd, forgiven, isEarly, isWanted, launchedNow } from "../ends.ts";
import { untilLaunched } from "../launched.ts";
import { keyOf, processState, readRecordOrNone, readRun, writeRun, type Run, type UnitRecord } from "../records.ts";
import { endStrays } from "../strays.ts";
import type { Supervisor, Unit } from "../supervisor.ts";
import { changeRecord, whileLocked, writeLaunch } from "../units.ts";
import { layUnits, setAtBoot } from "./files.ts";
import { unitNames } from "./names.ts";
import { systemctl, whyUnreachable, type UserSystemd } from "./systemctl.ts";
import type { Installation } from "./unit-text.ts";

export interface SystemdSupervisor extends Supervisor {
  /**
   * What systemd asks before it starts an agent: whether it may, and when. Waits until it is due. `how` ends one that
   * lived on after systemd itself had died: no other systemd can take it over.
   */
  begin(name: string, how: () => Promise<Ending>): Promise<"go" | "hold">;
  /** What systemd asks for where it stops an agent by itself (its own end, a shutdown). */
  end(name: string, how: Ending): Promise<void>;
}

/** How an agent is asked to save and end, and how long it may take. */
interface Ending {
  ask: () => Promise<void>;
  graceMs: number;
}

export interface SystemdParts extends SupervisorParts {
  installation: Installation;
  at: UserSystemd;
}

/**
 * Keeps agents alive as user units of systemd: it watches processes, owns their cgroups, and starts them at boot. What
 * was asked, the roster's rule, waits and holds are the records that the builtin supervisor keeps too: systemd asks
 * `begin` before each start. So what is observed, and how it is told, is the same under both.
 */
export function systemdSupervisor(parts: SystemdParts): SystemdSupervisor {
  const { home, units, now, tell, installation, at } = parts;
  const placeOf = (name: string) => agentPlace(home, name);
  const unit = unitNames(home);
  const isMine = (record: UnitRecord | undefined): record is UnitRecord => isWanted(record) && record.by === "systemd";

  /** Makes the launch anew; an old one is better than none. */
  async function remade(name: string): Promise<Unit | undefined> {
    try {
      return await parts.remake(name);
    } catch (error) {
      tell({ agent: name, event: "kept-old-launch", note: error instanceof Error ? error.message : String(error) });
      return undefined;
    }
  }

  /** What is to become of an agent that systemd would start: the start that was asked for, one after a crash, or after none. */
  async function judge(name: string): Promise<"go" | "hold" | "wait" | "restart" | "resume" | "replace"> {
    let verdict: Awaited<ReturnType<typeof judge>> = "hold";
    await changeRecord(home, name, async (record) => {
      if (!isMine(record)) return undefined;
      if (record.asked) {
        verdict = "go";
        return launchedNow(record, now());
      }
      if (processState(readRun(placeOf(name))) !== "none") {
        verdict = "replace";
        return { ...record, counted: record.launchedAt };
      }
      const known = await countEnd({ name, place: placeOf(name), record, now: now(), tell });
      if (isMine(known)) verdict = isEarly(known, now()) ? "wait" : known.nextAt === undefined ? "resume" : "restart";
      return undefined;
    });
    return verdict;
  }

  /** What the last look found alive, and what it found overdue. Lost with the daemon. */
  const living = new Map<string, Run>();
  const overdue = new Set<string>();

  /**
   * Ended, or asked for, and systemd has not asked for its start: whoever wanted to tell it was killed before, or it
   * does not know that the agent has ended.
   */
  const isOverdue = (record: UnitRecord, run: Run | undefined): boolean =>
    processState(run) === "none" && record.counted !== record.launchedAt && now() - (record.launchedAt ?? 0) > takeUpMs;

  return {
    kind: "systemd",

    start: (name) =>
      whileLocked(home, name, async () => {
        const place = placeOf(name);
        const record = readRecordOrNone(place);
        if (record === undefined)
          throw new FleetError("not-found", `${name} is not installed.`, { hint: "mosaic fleet start" });
        const run = readRun(place);
        if (processState(run) !== "none") {
          await changeRecord(home, name, (one) => one && { ...forgiven(one), counted: one.counted });
          return "already";
        }
        await endStrays(home, name);
        makeFolder(home.sockets);
        await layUnits(installation, at, { name, limits: record.limits ?? {} });
        setAtBoot(installation, unit.agent(name), true);
        rmSync(place.exit, { force: true });
        await changeRecord(home, name, (one) => ({
          ...launchedNow(forgiven(one ?? record), now()),
          counted: one?.launchedAt,
          by: "systemd",
          restarts: 0,
          asked: true,
        }));
        let ran: Ran;
        let tries = 0;
        // Not taken up: a start that was under way already was held at that very moment, or systemd had lost patience.
        do {
          // What a person asks for is no crash, and takes nothing from the number of starts that a crash may cause.
          await systemctl(at, ["reset-failed", unit.agent(name)]);
          ran = await systemctl(at, ["start", unit.agent(name)]);
        } while (readRecordOrNone(place)?.asked && ++tries < 4);
        // systemd calls a script that ran and ended at once a failure; what counts is what the script has said.
        const failed = ran.code !== 0 && { withinMs: 1_000, why: ran.stderr.trim().replaceAll("\n", " ") };
        await untilLaunched(name, place, keyOf(run), failed || {});
        tell({ agent: name, event: "started" });
        return "started";
      }),

    stop: (name, how) =>
      whileLocked(home, name, async () => {
        const place = placeOf(name);
        await changeRecord(home, name, (record) => record && atRest(record));
        setAtBoot(installation, unit.agent(name), false);
        const lived = await drain(place, how);
        // Nothing of it is left in its cgroup afterwards, and no start is under way.
        if (whyUnreachable(at) === undefined) {
          await systemctl(at, ["stop", unit.agent(name)]);
          await systemctl(at, ["reset-failed", unit.agent(name)]); // it calls one failed that was just about to start
        }
        await parts.terminal.close({ name, socket: place.terminal });
        await endStrays(home, name);
        if (lived) tell({ agent: name, event: "stopped" });
        return lived ? "stopped" : "already";
      }),

    async begin(name, how) {
      const place = placeOf(name);
      for (;;) {
        const verdict = await judge(name);
        if (verdict === "go" || verdict === "hold") return verdict;
        if (verdict === "wait") {
          await pause(50);
          continue;
        }
        if (verdict === "replace") {
          await drain(place, await how());
          await parts.terminal.close({ name, socket: place.terminal });
          await endStrays(home, name);
          continue;
        }
        const again = await remade(name);
        makeFolder(home.sockets);
        rmSync(place.exit, { force: true });
        const restarts = verdict === "restart" ? 1 : 0;
        const begun = await changeRecord(home, name, (record) => {
          if (!isMine(record)) return undefined; // stopped meanwhile
          if (again !== undefined) writeLaunch(place, again);
          const { restart, limits } = again ?? record;
          return { ...launchedNow(record, now()), restarts: record.restarts + restarts, restart, limits };
        });
        if (begun === undefined) return "hold";
        tell({ agent: name, event: restarts === 0 ? "started" : "restarted", note: `restart ${begun.restarts}` });
        return "go";
      }
    },

    async end(name, how) {
      await changeRecord(home, name, (record) => record && { ...record, counted: record.launchedAt });
      await drain(placeOf(name), how);
    },

    async reconcile() {
      for (const name of units.known()) {
        const place = placeOf(name);
        const record = readRecordOrNone(place);
        if (!isMine(record)) continue;
        const run = readRun(place);
        const last = living.get(name);
        if (run !== undefined) living.set(name, run);
        else if (units.observe([name]).get(name)?.readable === false) {
          // Nobody knows any more which process it is: written again from what is known, or begun anew.
          if (last !== undefined && isLiving(last)) writeRun(place, last);
          else await systemctl(at, ["restart", unit.agent(name)]);
          continue;
        }
        if (!isOverdue(record, run)) overdue.delete(name);
        else if (overdue.has(name)) await systemctl(at, ["restart", unit.agent(name)]);
        else overdue.add(name);
      }
      return 0; // systemd looks after them; nothing here is urgent
    },
  };
}

/** A start that systemd takes up at all is taken up by then. */
const takeUpMs = 10_000;
