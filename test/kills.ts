import { spawn } from "node:child_process";
import { readFileSync, readdirSync } from "node:fs";
import { setTimeout as later } from "node:timers/promises";

import { expect } from "vitest";

import { processOf } from "../src/lib/proc.ts";
import { until } from "../src/lib/wait.ts";
import { bin, rosterOf, type Rig } from "./rig.ts";

/** Numbers that are the same in every run, so that a failure can be seen again. */
export function dice(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

const agents = ["mos", "co", "co-1"];
/** An agent that nothing else on the machine looks like. */
const mark = (name: string, rig: Rig) => `${rig.root}/${name}-lives`;
export const rosterFor = (rig: Rig) =>
  rosterOf(
    ...agents.map(
      (name) =>
        `{ name: ${name}, role: ${name === "mos" ? "orchestrator" : "worker"}, runtime: command, command: [tail, -F, --quiet, ${mark(name, rig)}], workdir: ~/work }`,
    ),
  );

/** Living processes of that very program, seen in /proc and not in our own records. */
export function living(rig: Rig, name: string): number[] {
  return readdirSync("/proc")
    .filter((entry) => /^\d+$/.test(entry))
    .map(Number)
    .filter((pid) => {
      try {
        const [program, ...words] = readFileSync(`/proc/${pid}/cmdline`, "utf8").split("\0");
        return (
          program?.endsWith("tail") === true && words.includes(mark(name, rig)) && processOf(pid)?.state !== "zombie"
        );
      } catch {
        return false;
      }
    });
}

/** Kills commands, the daemon and agents at random moments: never two of an agent, nothing lost, and the next command adopts. */
export async function surviveKills(rig: Rig, seed: number): Promise<void> {
  rig.roster(rosterFor(rig));
  const roll = dice(seed);
  for (let round = 0; round < 60; round++) {
    const verb = ["start", "stop", "restart", "apply", "start"][roll(5)] ?? "start";
    const names = verb === "apply" || roll(3) === 0 ? [] : [agents[roll(3)] ?? "co"];
    const child = spawn(process.execPath, [bin, "fleet", verb, ...names], {
      env: rig.env,
      cwd: rig.root,
      stdio: "ignore",
    });
    const ended = new Promise((resolve) => child.on("close", resolve));
    // A moment anywhere within the command, which takes some 500 ms: no waiting for a fact, so no sleep to replace.
    await Promise.race([ended, later(roll(600))]);
    child.kill("SIGKILL");
    await ended;
    if (roll(4) === 0) {
      const daemon = rig.daemonPid();
      if (daemon !== undefined && readText(`/proc/${daemon}/cmdline`).includes("serve"))
        process.kill(daemon, "SIGKILL");
    }
    if (roll(4) === 0) for (const pid of living(rig, "co")) process.kill(pid, "SIGKILL");
    for (const name of agents)
      expect(
        living(rig, name).length,
        `${name} in round ${round} after ${verb} ${names.join(" ")}`,
      ).toBeLessThanOrEqual(1);
  }
  expect(rig.rosterText()).toBe(rosterFor(rig));
  const started = await rig.fleet("start");
  expect([started.code, started.err]).toEqual([0, expect.any(String)]);
  const now = await rig.ps();
  expect(now.map((agent) => agent.state)).toEqual(["running", "running", "running"]);
  for (const agent of now) expect(living(rig, agent.name)).toEqual([agent.pid]);
  expect((await rig.fleet("stop")).code).toBe(0);
  for (const name of agents) expect(living(rig, name)).toEqual([]);
}

function readText(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}

/** A daemon of its own, as a terminal would start it. */
export const serve = (rig: Rig): void =>
  spawn(process.execPath, [bin, "fleet", "serve"], {
    env: rig.env,
    cwd: rig.root,
    stdio: "ignore",
    detached: true,
  }).unref();

/** Kills the daemon at random while something is done, each time starts another, and answers how often. */
export async function whileDaemonsDie(
  rig: Rig,
  { seed, leastMs, mostMs }: { seed: number; leastMs: number; mostMs: number },
  work: (roll: (below: number) => number) => Promise<void>,
): Promise<number> {
  const roll = dice(seed);
  const over = new AbortController();
  let kills = 0;
  const killing = (async () => {
    while (!over.signal.aborted) {
      // A moment anywhere in the daemon's life: no waiting for a fact, so no sleep to replace.
      await later(leastMs + roll(mostMs - leastMs));
      const pid = rig.daemonPid();
      if (pid === undefined || over.signal.aborted) continue;
      try {
        process.kill(pid, "SIGKILL");
        kills++;
      } catch {
        // just gone
      }
      serve(rig);
    }
  })();
  await work(roll);
  await until(() => (kills > 4 ? true : undefined), { withinMs: 20_000 }); // however quick the work was
  over.abort();
  await killing;
  return kills;
}
