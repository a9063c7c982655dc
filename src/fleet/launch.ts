import { readFileSync, statSync } from "node:fs";
import { join } from "node:path";

import type { Agent } from "../contract/agent.ts";
import { agentPlace } from "../contract/home.ts";
import type { Desk } from "../harness/harness.ts";
import { harnessOf } from "../harness/index.ts";
import { writeAtomic } from "../lib/atomic.ts";
import { FleetError } from "../lib/errors.ts";
import { privateFolder } from "../lib/folder.ts";
import { quote } from "../lib/quote.ts";
import { beatPath } from "../status/beat.ts";
import { launchScript } from "../supervisor/launch-script.ts";
import type { Unit, UnitView } from "../supervisor/supervisor.ts";
import { agentSecrets, agentToken } from "./credentials.ts";
import { findHarness } from "./find-harness.ts";
import type { World } from "./world.ts";

/** What an adapter gets for one agent. */
export function deskOf(world: World, fleet: string, agent: Agent): Desk {
  return {
    agent,
    fleet,
    place: agentPlace(world.home, agent.name),
    beat: { path: beatPath(world.home.run, agent.name), intervalS: world.beatIntervalS },
    terminal: world.terminal,
    env: { ...world.agentEnv, ...agent.env },
    node: world.search.node,
    mosaic: join(world.home.bin, "mosaic"),
    assets: world.assets,
  };
}

/** Makes an agent ready to start: whatever could fail about it fails here. Changes no running process. */
export async function prepare(world: World, fleet: string, agent: Agent): Promise<void> {
  await world.units.install(await makeUnit(world, fleet, agent));
}

/**
 * Makes the unit of an agent: looks for its CLI and its work folder, resumes its conversation, and notes what the next
 * launch will be, so that drift can be told later.
 */
export async function makeUnit(world: World, fleet: string, agent: Agent): Promise<Unit> {
  const harness = await harnessOf(agent.runtime);
  requireFolder(agent);
  const found = await findHarness(world, harness, agent);
  const desk = deskOf(world, fleet, agent);
  for (const folder of [world.home.sockets, world.home.secrets, desk.place.dir]) privateFolder(folder, world.uid);
  writeShim(world);
  const launch = await harness.launch(desk, found);
  const env: Record<string, string> = {
    ...world.agentEnv,
    COLORTERM: "truecolor",
    ...agent.env,
    ...agentSecrets(world.home, agent.secrets),
    ...launch.env,
    PATH: `${world.home.bin}:${agent.env["PATH"] ?? world.search.path}`,
    MOSAIC_HOME: world.home.root,
    MOSAIC_AGENT: agent.name,
    MOSAIC_AGENT_TOKEN: agentToken(world.home, agent.name),
    MOSAIC_HEARTBEAT_RUN_DIR: world.home.run,
    MOSAIC_HEARTBEAT_INTERVAL: String(world.beatIntervalS),
  };
  privateFolder(world.home.run, world.uid);
  const script = launchScript(desk.place, { argv: launch.argv, cwd: agent.workdir, env });
  writeAtomic(desk.place.prepared, JSON.stringify({ agent, version: found.version }), { durable: false });
  return { name: agent.name, script, cwd: agent.workdir, restart: agent.restart, limits: agent.limits };
}

/** What was launched last, and the version that the CLI named then. */
export function launchedAs(world: World, name: string): { agent: Agent; version: string | undefined } | undefined {
  try {
    const read = JSON.parse(readFileSync(agentPlace(world.home, name).launched, "utf8")) as ReturnType<
      typeof launchedAs
    >;
    return typeof read?.agent?.name === "string" && typeof read.agent.runtime === "string" ? read : undefined;
  } catch {
    return undefined;
  }
}

/** The agent as it runs: a running one is what it was launched as, whatever the roster says meanwhile. */
export function asLaunched(world: World, one: { agent: Agent; unit: UnitView }): Agent {
  return one.unit.process === "none" ? one.agent : (launchedAs(world, one.agent.name)?.agent ?? one.agent);
}

function requireFolder(agent: Agent): void {
  let found = false;
  try {
    found = statSync(agent.workdir).isDirectory();
  } catch {
    // said below
  }
  if (!found) {
    throw new FleetError("not-found", `The work folder of ${agent.name} does not exist: ${agent.workdir}.`, {
      hint: `mkdir -p ${quote(agent.workdir)}`,
    });
  }
}

/** `mosaic` inside an agent: this very installation on this very Node, whatever the agent's PATH holds. */
function writeShim(world: World): void {
  const path = join(world.home.bin, "mosaic");
  const text = `#!/bin/sh\nexec ${quote(world.search.node)} ${quote(world.entry)} "$@"\n`;
  try {
    if (readFileSync(path, "utf8") === text) return;
  } catch {
    // not there yet
  }
  writeAtomic(path, text, { mode: 0o755 });
}
