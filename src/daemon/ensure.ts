import { spawn } from "node:child_process";
import { closeSync, openSync } from "node:fs";
import { join } from "node:path";

import type { World } from "../fleet/world.ts";
import { FleetError } from "../lib/errors.ts";
import { makeFolder } from "../lib/folder.ts";
import { until } from "../lib/wait.ts";
import { daemonProcess } from "./serve.ts";

/** Brings the daemon up where none is, in a session of its own so that it outlives this terminal. */
export async function ensureDaemon(world: World): Promise<void> {
  if (daemonProcess(world.home) !== undefined) return;
  makeFolder(world.home.log);
  const out = openSync(join(world.home.log, "daemon.out"), "a", 0o600);
  // The agent's marks must not be inherited: stopping that agent would end the daemon as one of its processes.
  const env = {
    ...world.agentEnv,
    PATH: world.search.path,
    MOSAIC_HOME: world.home.root,
    MOSAIC_HEARTBEAT_RUN_DIR: world.home.run,
    MOSAIC_HEARTBEAT_INTERVAL: String(world.beatIntervalS),
  };
  spawn(world.search.node, [world.entry, "fleet", "serve"], {
    detached: true,
    stdio: ["ignore", out, out],
    cwd: "/",
    env,
  }).unref();
  closeSync(out);
  const up = await until(() => daemonProcess(world.home), { withinMs: 10_000 });
  if (!up) {
    throw new FleetError("unreachable", "The daemon did not come up; agents run, but nothing restarts them.", {
      hint: `mosaic fleet serve (its last words: ${join(world.home.log, "daemon.out")})`,
    });
  }
}
