import { readFileSync, readlinkSync } from "node:fs";
import { basename } from "node:path";
import { setTimeout as pause } from "node:timers/promises";

import type { Ground } from "./ground.ts";
import { marked, type LiveFleet } from "./live-fleet.ts";
import type { Row } from "./rows.ts";

const settleMs = 2_000;
const idleMs = 10_000;
/** The unit of times in /proc/PID/stat: fixed at 100 a second for every program on Linux. */
const tickMs = 10;

/** What the product itself keeps in memory: a terminal server and a wrapper shell an agent, and one daemon. */
export async function measureMemory(ground: Ground, fleet: LiveFleet): Promise<Row[]> {
  ground.tell(`memory: ${fleet.names.length} agents and the daemon, idle for ${idleMs / 1_000} s`);
  await pause(settleMs, undefined, { signal: ground.signal });
  const before = cpuMs(fleet.daemon);
  const began = performance.now();
  await pause(idleMs, undefined, { signal: ground.signal });
  const busy = ((cpuMs(fleet.daemon) - before) / (performance.now() - began)) * 100;
  const perAgent = fleet.names.map((name) => {
    const run = fleet.run(name);
    if (run === undefined) throw new Error(`${name} has no record of its processes`);
    return pssMb(run.server) + pssMb(run.wrapper);
  });
  const nodes = marked(fleet.site).filter((pid) => basename(readlinkSync(`/proc/${pid}/exe`)) === "node");
  const count = fleet.names.length;
  return [
    {
      what: `memory per agent beyond its program (PSS, ${count} agents)`,
      unit: "MB",
      samples: perAgent,
      goal: { of: "max", atMost: 1.5 },
    },
    {
      what: `Node processes for ${count} agents (the daemon)`,
      unit: "",
      samples: [nodes.length],
      goal: { of: "max", atMost: 1, atLeast: 1 },
    },
    { what: `daemon's memory (PSS, ${count} agents)`, unit: "MB", samples: [pssMb(fleet.daemon)] },
    { what: `daemon's share of one core, idle (${count} agents)`, unit: "%", samples: [busy] },
  ];
}

/** The process's fair share of memory, what was swapped out included. */
export function pssMb(pid: number): number {
  const text = readFileSync(`/proc/${pid}/smaps_rollup`, "utf8");
  const kb = [...text.matchAll(/^(?:Swap)?Pss:\s+(\d+) kB$/gm)].map((match) => Number(match[1]));
  return kb.reduce((sum, part) => sum + part, 0) / 1_024;
}

/** User and system time of all its threads since it began. */
export function cpuMs(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, "latin1");
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return (Number(fields[11]) + Number(fields[12])) * tickMs;
}
