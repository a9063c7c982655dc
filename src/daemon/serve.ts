import { readFileSync, rmSync, watch } from "node:fs";
import { join } from "node:path";

import type { Home } from "../contract/home.ts";
import { deskOf, makeUnit } from "../fleet/launch.ts";
import type { World } from "../fleet/world.ts";
import { harnessOf, supported } from "../harness/index.ts";
import { writeAtomic } from "../lib/atomic.ts";
import { FleetError } from "../lib/errors.ts";
import { tryLock } from "../lib/lock.ts";
import { isLiving, processOf } from "../lib/proc.ts";
import { pause, until } from "../lib/wait.ts";
import { readRoster } from "../roster/cache.ts";
import { beatPath, writeBeat } from "../status/beat.ts";
import type { Unit } from "../supervisor/supervisor.ts";
import { Bell } from "./bell.ts";
import { offer } from "./offer.ts";
import { pump } from "./pump.ts";

/**
 * How often units that nobody else looks after are looked at. An end rings at once; only a terminal that is taken away
 * together with its wrapper leaves no event behind, but a missing process.
 */
const lookMs = 2_000;
/** How long a harness may take to answer for its beat. */
const answerMs = 500;

const lockPath = (home: Home): string => join(home.locks, "daemon.lock");
const pidPath = (home: Home): string => join(home.fleet, "daemon.pid");

/** The daemon's process while it lives. Only looks: a probe that took the daemon's lock could keep it from starting. */
export function daemonProcess(home: Home): number | undefined {
  try {
    const [, pid, start] = /^pid=(\d+)\nstart=(\d+)\n/.exec(readFileSync(pidPath(home), "utf8")) ?? [];
    return isLiving({ pid: Number(pid), started: start ?? "" }) ? Number(pid) : undefined;
  } catch {
    return undefined;
  }
}

/**
 * The one long-lived process of this host: supervises where systemd does not, and beats for agents that cannot. It owns
 * no state, so it may be killed at any moment; agents live on, and the next one adopts them. Runs until the signal.
 */
export async function serve(
  world: World,
  version: string,
  signal: AbortSignal,
  tell: (line: string) => void,
): Promise<void> {
  const { home } = world;
  // Whoever ends just now still holds it for a moment.
  const lock = await until(() => tryLock(lockPath(home)), { withinMs: 1_000 });
  if (lock === undefined) {
    throw new FleetError("conflict", "A daemon of this home runs already.", { hint: "mosaic fleet status" });
  }
  const stopGuarding = guard(world);
  const wake = new Bell();
  const folder = watchAgents(home, () => wake.ring());
  try {
    writeAtomic(pidPath(home), `pid=${process.pid}\nstart=${processOf(process.pid)?.started ?? ""}\n`);
    world.log({ event: "daemon-started", note: `pid ${process.pid}` });
    tell(`serving ${home.root} (pid ${process.pid}); Ctrl-C ends the daemon, agents live on\n`);
    const { builtin, systemd } = world.supervisors;
    const pumping = pump(world, signal);
    const offering = offer(world, version, signal);
    let nextBeat = 0; // not by the clock, which may be set back
    let kept = 0;
    while (!signal.aborted) {
      try {
        kept = await builtin.reconcile();
        if (performance.now() >= nextBeat) {
          nextBeat = performance.now() + world.beatIntervalS * 1_000;
          await systemd.reconcile();
          await beatForOthers(world);
        }
      } catch (error) {
        // A fault here must not take supervision away from every agent; it is logged, and tried again.
        world.log({ event: "daemon-fault", note: error instanceof Error ? error.message : String(error) });
        await pause(1_000, signal);
      }
      // Where systemd looks after all of them there is nothing to do until the next beat.
      const untilBeat = Math.max(0, nextBeat - performance.now());
      await wake.wait(kept > 0 ? Math.min(lookMs, untilBeat) : untilBeat, signal);
    }
    await Promise.all([pumping, offering]);
  } finally {
    folder?.close();
    stopGuarding();
    rmSync(pidPath(home), { force: true });
    world.log({ event: "daemon-stopped" });
    lock.release();
  }
}

/** So many faults in a minute are no accident any more: then ending, and being started anew, is the better way. */
const mostFaults = 50;

/**
 * A library may throw in a timer or a socket of its own, where nobody can catch it (seen: a chat's gateway that says
 * nonsense). Nothing of the fleet is in danger by that, and everything would be by the daemon's end.
 */
function guard(world: World): () => void {
  let recent: number[] = [];
  const onFault = (error: unknown) => {
    world.log({ event: "daemon-fault", note: error instanceof Error ? (error.stack ?? error.message) : String(error) });
    const now = world.now();
    recent = [...recent.filter((at) => now - at < 60_000), now];
    if (recent.length > mostFaults) throw error;
  };
  process.on("uncaughtException", onFault);
  return () => void process.off("uncaughtException", onFault);
}

/** Makes a crashed agent's launch anew from the roster as it is now, so that its conversation is resumed. */
export async function remake(world: World, name: string): Promise<Unit | undefined> {
  const roster = await readRoster(world.home.roster, world.home.cache, world.home.user);
  const agent = roster.agents.find((one) => one.name === name);
  return agent === undefined ? undefined : makeUnit(world, roster.fleet, agent);
}

async function beatForOthers(world: World): Promise<void> {
  const roster = await readRoster(world.home.roster, world.home.cache, world.home.user);
  const units = world.units.observe(roster.agents.map((agent) => agent.name));
  for (const agent of roster.agents) {
    const unit = units.get(agent.name);
    if (unit?.process !== "alive" || unit.pid === undefined || !supported.includes(agent.runtime)) continue;
    const harness = await harnessOf(agent.runtime);
    if (harness.capabilities.beats) continue;
    const desk = deskOf(world, roster.fleet, agent);
    const answer = harness.capabilities.nativeState ? await harness.ask(desk, answerMs) : undefined;
    // A beat is the harness's word, passed on: of one that can speak and does not, nothing is said, and its beat grows old.
    if (answer !== undefined && (answer.kind !== "state" || answer.pid !== unit.pid)) continue;
    const ts = new Date(world.now()).toISOString();
    writeBeat(beatPath(world.home.run, agent.name), {
      ts,
      pid: unit.pid,
      status: "ok",
      interval: world.beatIntervalS,
      state: answer?.state ?? "running",
      model: answer?.model,
      session: answer?.session,
      version: answer?.version,
      context: answer?.context === undefined ? undefined : `${answer.context}%`,
    });
  }
}

/** Files whose change means that there is something to do: an end, another wish, a lost record. */
const telling = /\/(exit|unit\.json|pid)$/;

/** The launch wrapper's exit file is the fastest word of a crash (3 ms); where folders cannot be watched, looking is enough. */
function watchAgents(home: Home, ring: () => void): { close(): void } | undefined {
  try {
    const watcher = watch(home.agents, { recursive: true }, (_, file) => {
      if (file !== null && telling.test(file)) ring();
    });
    watcher.on("error", () => watcher.close());
    return watcher;
  } catch {
    return undefined;
  }
}
