import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

import { agentPlace } from "../src/contract/home.ts";
import { exec } from "../src/lib/exec.ts";
import { isGone, markedProcesses, signal } from "../src/lib/proc.ts";
import { until } from "../src/lib/wait.ts";
import { readRun, type Run } from "../src/supervisor/records.ts";
import { laySite, type Ground, type Site } from "./ground.ts";
import { writeRoster } from "./paper-fleet.ts";

/** Real agents in real terminals, with the daemon that keeps them. */
export interface LiveFleet {
  site: Site;
  names: readonly string[];
  daemon: number;
  run: (name: string) => Run | undefined;
}

/** Starts a fleet as a person would, by the CLI. */
export async function startLiveFleet(ground: Ground, size: number): Promise<LiveFleet> {
  const site = laySite(ground, "live");
  ground.defer(() => endFleet(site, ground.tell));
  writeRoster(site.home, size);
  ground.tell(`starting ${size} agents`);
  const ran = await site.mosaic(["fleet", "start"], { timeoutMs: 120_000, signal: ground.signal });
  ground.signal.throwIfAborted();
  const daemon = daemonOf(site);
  if (ran.code !== 0 || daemon === undefined) throw new Error(`mosaic fleet start failed: ${ran.stderr}`);
  const names = Array.from({ length: size }, (_, at) => `agent-${at}`);
  return { site, names, daemon, run: (name) => readRun(agentPlace(site.home, name)) };
}

/** Every process that carries this home's mark: its agents, and its daemon. */
export const marked = (site: Site): number[] => markedProcesses([`MOSAIC_HOME=${site.home.root}`]);

/** Ends the fleet by its own commands; what they leave is ended by force, and told. */
export async function endFleet(site: Site, tell: Ground["tell"]): Promise<void> {
  tell("stopping the agents and the daemon");
  const ran = await site.mosaic(["fleet", "stop"], { timeoutMs: 120_000 });
  if (ran.code !== 0) tell(`mosaic fleet stop failed: ${ran.stderr.trim()}`);
  const daemon = daemonOf(site);
  if (daemon !== undefined) {
    signal(daemon, "SIGTERM");
    if (!(await gone([daemon]))) signal(daemon, "SIGKILL");
  }
  for (const socket of socketsOf(site)) {
    await exec(["tmux", "-S", join(site.home.sockets, socket), "kill-server"], { env: site.env });
  }
  const left = marked(site);
  if (left.length === 0) return;
  tell(`left over and ended by force: ${left.join(" ")}`);
  for (const pid of left) signal(pid, "SIGKILL");
  await gone(left);
}

/** The daemon by its own word, if that process is this home's indeed. */
function daemonOf(site: Site): number | undefined {
  try {
    const pid = Number(/^pid=(\d+)/.exec(readFileSync(join(site.home.fleet, "daemon.pid"), "utf8"))?.[1]);
    return marked(site).find((one) => one === pid);
  } catch {
    return undefined;
  }
}

function socketsOf(site: Site): string[] {
  try {
    return readdirSync(site.home.sockets).filter((file) => file.endsWith(".tmux"));
  } catch {
    return [];
  }
}

const gone = (pids: readonly number[]): Promise<true | undefined> =>
  until(() => pids.every(isGone) || undefined, { withinMs: 5_000 });
