import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";

import { cliFolder } from "../scripts/machine.ts";
import { FleetState } from "../src/contract/state.ts";
import { until } from "../src/lib/wait.ts";
import { claudeEnv } from "../test/model/claude-home.ts";
import { writePiHome } from "../test/model/pi-home.ts";
import { startScriptedModel } from "../test/model/server.ts";
import { laySite, type Ground, type Site } from "./ground.ts";
import { endFleet, marked } from "./live-fleet.ts";
import { cpuMs, pssMb } from "./memory.ts";
import type { Row } from "./rows.ts";

const each = 20;
const idleMs = 20_000;
const sends = 15;

/** 20 Claude Code and 20 Pi agents on the scripted model: how long they take to be there, what ours costs beside them. */
export async function measureRealFleet(ground: Ground): Promise<Row[]> {
  const [pi, claude] = [cliFolder("pi", { install: false }), cliFolder("claude", { install: false })];
  if (pi === undefined || claude === undefined) {
    const note = "no harness CLI is in .cache/; CI=true npm test installs them";
    return [{ what: `${each} Claude Code and ${each} Pi agents`, unit: "ms", samples: [], note }];
  }
  const model = await startScriptedModel();
  ground.defer(() => model.close());
  const site = laySite({ ...ground, path: `${pi}:${claude}:${ground.path}` }, "real");
  ground.defer(() => endFleet(site, ground.tell));
  const names = lay(site, model.url);
  ground.tell(`starting ${each} Claude Code and ${each} Pi agents`);
  const began = performance.now();
  const ran = await site.mosaic(["fleet", "start"], { timeoutMs: 400_000, signal: ground.signal });
  if (ran.code !== 0) throw new Error(`mosaic fleet start failed: ${ran.stderr}${ran.stdout}`);
  const startMs = performance.now() - began;
  const delivered = await measureSends(ground, site);
  const floods = await measureFlood(ground, site, names);
  return [
    { what: `start of ${2 * each} real agents until each says that it is idle`, unit: "ms", samples: [startMs] },
    ...(await measureOurs(ground, site)),
    ...delivered,
    ...floods,
  ];
}

function lay(site: Site, url: string): string[] {
  writePiHome(site.home.user, url);
  const work = join(site.home.user, "work");
  mkdirSync(work, { recursive: true });
  const names = Array.from({ length: each }, (_, at) => [`claude-${at}`, `pi-${at}`]).flat();
  const agents = names.map((name, at) => {
    const runtime = name.startsWith("pi")
      ? "runtime: pi"
      : `runtime: claude, model: scripted-large, env: ${JSON.stringify(claudeEnv(url))}`;
    return `  - { name: ${name}, role: ${at === 0 ? "orchestrator" : "worker"}, workdir: ${work}, ${runtime} }\n`;
  });
  mkdirSync(dirname(site.home.roster), { recursive: true });
  writeFileSync(site.home.roster, `version: 1\nfleet: bench\nagents:\n${agents.join("")}`);
  return names;
}

/** Everything of ours that stays while agents are idle: the daemon, each agent's wrapper and terminal server. */
async function measureOurs(ground: Ground, site: Site): Promise<Row[]> {
  const daemon = Number(/^pid=(\d+)/.exec(readFileSync(join(site.home.fleet, "daemon.pid"), "utf8"))?.[1]);
  ground.tell(`idle for ${idleMs / 1_000} s`);
  await pause(5_000, undefined, { signal: ground.signal });
  const before = cpuMs(daemon);
  const began = performance.now();
  await pause(idleMs, undefined, { signal: ground.signal });
  const share = ((cpuMs(daemon) - before) / (performance.now() - began)) * 100;
  return [
    { what: "resident mosaic processes (PSS)", unit: "MB", samples: [pssMb(daemon)], goal: { of: "max", atMost: 60 } },
    { what: "their share of one core, agents idle", unit: "%", samples: [share], goal: { of: "max", atMost: 0.1 } },
    { what: "processes of the fleet in all", unit: "", samples: [marked(site).length] },
  ];
}

/** From the command typed to the harness's own word that the message is in the conversation, beyond the CLI's own start. */
async function measureSends(ground: Ground, site: Site): Promise<Row[]> {
  const timed = async (args: readonly string[]) => {
    const began = performance.now();
    const ran = await site.mosaic(args, { signal: ground.signal });
    if (ran.code !== 0) throw new Error(`mosaic ${args.join(" ")} failed: ${ran.stderr}`);
    return { ms: performance.now() - began, said: ran.stderr };
  };
  const rows: Row[] = [];
  for (const name of ["pi-0", "claude-0"]) {
    const samples: number[] = [];
    for (let at = 0; at < sends; at++) {
      const floor = (await timed(["fleet", "inbox", "--json"])).ms;
      await idle(site, [name]);
      const { ms, said } = await timed(["fleet", "send", name, `message ${at}`]);
      if (said.includes("delivered")) samples.push(Math.max(0, ms - floor));
    }
    const sorted = samples.toSorted((a, b) => a - b);
    const p95 = sorted[Math.floor(sorted.length * 0.95)] ?? NaN;
    rows.push({
      what: `send to delivered beyond the CLI's start, ${name.replace("-0", "")}, p95`,
      unit: "ms",
      samples: [p95],
      goal: { of: "max", atMost: 60 },
      note: `${samples.length} of ${sends} delivered at once`,
    });
  }
  return rows;
}

/** One message to everybody at once, until everybody has it. */
async function measureFlood(ground: Ground, site: Site, names: readonly string[]): Promise<Row[]> {
  await idle(site, names);
  const began = performance.now();
  const ran = await site.mosaic(["fleet", "send", "--all", "--wait", "delivered", "to", "all"], {
    timeoutMs: 120_000,
    signal: ground.signal,
  });
  if (ran.code !== 0) throw new Error(`send --all failed: ${ran.stderr}`);
  return [
    {
      what: `one message to ${names.length} agents, until all have it`,
      unit: "ms",
      samples: [performance.now() - began],
    },
  ];
}

async function idle(site: Site, names: readonly string[]): Promise<void> {
  const found = await until(
    async () => {
      const { agents } = FleetState.parse(JSON.parse((await site.mosaic(["fleet", "ps", "--json"])).stdout));
      return agents.every((agent) => !names.includes(agent.name) || agent.state === "idle") || undefined;
    },
    { withinMs: 60_000, everyMs: 100 },
  );
  if (found === undefined) throw new Error(`${names.join(" ")} are not idle after a minute`);
}
