import { spawn } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";

import { agentPlace, type Home } from "../src/contract/home.ts";
import type { FleetState } from "../src/contract/state.ts";
import { processOf } from "../src/lib/proc.ts";
import { loadRoster } from "../src/roster/load.ts";
import { beatPath, writeBeat } from "../src/status/beat.ts";
import { newRecord } from "../src/supervisor/records.ts";
import { laySite, type Ground, type Site } from "./ground.ts";

/** Living processes that the paper agents share; each record is true, only not each process is an agent's own. */
const processes = 10;

/** A fleet of which everything that `ps` reads is there, without the terminals that it does not read. */
export interface PaperFleet {
  size: number;
  site: Site;
}

/** Lays fleets of these sizes, each in a home of its own, and reads each once, so that every cache is warm. */
export async function layPaperFleets(ground: Ground, sizes: readonly number[]): Promise<PaperFleet[]> {
  const pids = Array.from({ length: processes }, () => {
    const child = spawn("sleep", ["3600"], { stdio: "ignore", env: { PATH: ground.path } });
    ground.defer(() => void child.kill());
    if (child.pid === undefined) throw new Error("sleep did not start");
    return child.pid;
  });
  const fleets: PaperFleet[] = [];
  for (const size of sizes) {
    const site = laySite(ground, `paper-${size}`);
    writeRoster(site.home, size);
    writeRecords(site.home, pids);
    await checkRead(site, size, ground.signal);
    fleets.push({ size, site });
  }
  return fleets;
}

/** A roster of that many agents that sleep; the first is the orchestrator. */
export function writeRoster(home: Home, size: number): void {
  const agents = Array.from({ length: size }, (_, at) => ({
    name: `agent-${at}`,
    role: at === 0 ? "orchestrator" : "worker",
    runtime: "command",
    command: ["sleep", "100000"],
  }));
  mkdirSync(home.fleet, { recursive: true, mode: 0o700 });
  writeFileSync(home.roster, JSON.stringify({ version: 1, fleet: "bench", agents }, undefined, 2)); // JSON is YAML too
}

/** What the supervisor, the launch wrapper and the daemon leave on disk for running agents. */
function writeRecords(home: Home, pids: readonly number[]): void {
  mkdirSync(home.run, { recursive: true, mode: 0o700 });
  for (const [at, agent] of loadRoster(home.roster, home.user).agents.entries()) {
    const place = agentPlace(home, agent.name);
    const pid = pids[at % pids.length] ?? 0;
    const started = processOf(pid)?.started ?? "";
    mkdirSync(place.dir, { recursive: true, mode: 0o700 });
    writeFileSync(place.unit, `${JSON.stringify({ ...newRecord(agent.restart), want: "up" })}\n`);
    writeFileSync(place.pid, `pid=${pid}\nstart=${started}\nwrapper=${process.pid}\nserver=${process.pid}\n`);
    writeFileSync(place.launched, JSON.stringify({ agent }));
    const beat = { ts: new Date().toISOString(), pid, status: "ok", interval: 15, state: "running" };
    writeBeat(beatPath(home.run, agent.name), beat);
  }
}

/** A fleet that is not read as running and unchanged would measure something else. */
async function checkRead(site: Site, size: number, abort: AbortSignal): Promise<void> {
  const ran = await site.mosaic(["fleet", "ps", "--json"], { signal: abort });
  abort.throwIfAborted();
  if (ran.code !== 0) throw new Error(`mosaic fleet ps failed at ${size} agents: ${ran.stderr}`);
  const { agents } = JSON.parse(ran.stdout) as FleetState;
  const odd = agents.find((agent) => agent.state !== "running" || agent.drift.length > 0);
  if (agents.length !== size || odd !== undefined) {
    throw new Error(`${agents.length} of ${size} agents were read; not as laid: ${JSON.stringify(odd)}`);
  }
}
