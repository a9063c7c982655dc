import { existsSync } from "node:fs";

import { expect, test } from "vitest";

import { comes } from "../comes.ts";
import { dice, living, rosterFor, surviveKills } from "../kills.ts";
import { makeRig } from "../rig.ts";

test("kill -9 of any mosaic process at any moment: never two of an agent, nothing lost, nothing that the next command does not adopt", async () => {
  const rig = makeRig();
  await surviveKills(rig, 7);
  const daemon = rig.daemonPid();
  process.kill(daemon ?? 0, "SIGTERM");
  await comes(() => (existsSync(`${rig.home.fleet}/daemon.pid`) ? undefined : true), { withinMs: 10_000 });
}, 240_000);

test("many starts, stops and crashes of one agent: at most one process, and stopped stays stopped", async () => {
  const rig = makeRig();
  rig.roster(rosterFor(rig));
  const roll = dice(11);
  await rig.fleet("start");
  for (let round = 0; round < 40; round++) {
    const verb = ["start", "stop", "restart"][roll(3)] ?? "stop";
    const both = await Promise.all([rig.fleet(verb, "co"), roll(2) === 0 ? rig.fleet("start", "co") : undefined]);
    if (roll(3) === 0) for (const pid of living(rig, "co")) process.kill(pid, "SIGKILL");
    expect(living(rig, "co").length, `round ${round}: ${verb}`).toBeLessThanOrEqual(1);
    for (const ran of both) if (ran !== undefined && ran.code !== 0) expect(ran.err).toContain("Next: ");
  }
  await rig.fleet("stop", "co");
  expect(living(rig, "co")).toEqual([]);
  // The daemon has looked again and again by the time it has brought another agent back.
  const { pid } = await rig.agent("mos");
  process.kill(pid ?? 0, "SIGKILL");
  await rig.settled("mos", (agent) => agent.restarts > 0 && agent.state === "running");
  expect(living(rig, "co")).toEqual([]);
}, 240_000);
