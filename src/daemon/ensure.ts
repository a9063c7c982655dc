import { spawn } from "node:child_process";
import { closeSync, openSync, readFileSync } from "node:fs";
import { join } from "node:path";

import type { World } from "../fleet/world.ts";
import { writeAtomic } from "../lib/atomic.ts";
import { formatEnvironment, readEnvironment } from "../lib/environment.ts";
import { FleetError } from "../lib/errors.ts";
import { makeFolder } from "../lib/folder.ts";
import { rotate } from "../lib/log.ts";
import { isGone, signal } from "../lib/proc.ts";
import { until } from "../lib/wait.ts";
import type { SupervisorKind } from "../supervisor/supervisor.ts";
import { laidUnits, layUnits, setAtBoot } from "../supervisor/systemd/files.ts";
import { unitNames } from "../supervisor/systemd/names.ts";
import { mustSystemctl, whyUnreachable } from "../supervisor/systemd/systemctl.ts";
import { daemonProcess } from "./serve.ts";

/** Brings the daemon up where none is: as a unit where systemd supervises, else in a session of its own. */
export async function ensureDaemon(world: World, kind: SupervisorKind): Promise<void> {
  keepEnvironment(world);
  const pid = daemonProcess(world.home);
  const isKept = pid !== undefined && keeperOf(world, pid) === kind;
  if (kind === "systemd") await asUnit(world, pid, isKept);
  else if (isKept) return;
  else await onItsOwn(world, pid);
  const up = await until(() => daemonProcess(world.home), { withinMs: 10_000 });
  if (up) return;
  throw new FleetError("unreachable", "The daemon did not come up; agents run, but nothing restarts them.", {
    hint:
      kind === "systemd"
        ? `systemctl --user status ${unitNames(world.home).daemon}`
        : `mosaic fleet serve (its last words: ${join(world.home.log, "daemon.out")})`,
  });
}

/** What a person has, the agents get, also after a crash and a reboot. An agent that starts another passes nothing on. */
function keepEnvironment({ home, ownEnv, byAgent }: World): void {
  const text = formatEnvironment(ownEnv);
  if (byAgent || formatEnvironment(readEnvironment(home.environment) ?? {}) === text) return;
  writeAtomic(home.environment, text, { mode: 0o600 });
}

/** Hands the daemon to systemd; one that somebody else started, or another installation of mosaic, makes room. */
async function asUnit(world: World, pid: number | undefined, isKept: boolean): Promise<void> {
  const { daemon } = unitNames(world.home);
  const changed = await layUnits(world.installation(), world.systemd);
  if (isKept && !changed) return;
  if (pid !== undefined && !isKept) await endDaemon(pid);
  setAtBoot(world, daemon, true);
  // Not `start`: that would wait for the pause which systemd makes before it tries again.
  await mustSystemctl(world.systemd, "start the daemon", ["restart", daemon]);
}

/** Starts it in a session of its own, so that it outlives this terminal. */
async function onItsOwn(world: World, pid: number | undefined): Promise<void> {
  // Its unit, where there is one: up, or about to come up again.
  if (pid !== undefined || laidUnits(world).length > 0) {
    const { daemon } = unitNames(world.home);
    setAtBoot(world, daemon, false);
    if (whyUnreachable(world.systemd) === undefined)
      await mustSystemctl(world.systemd, "stop the daemon", ["stop", daemon]);
  }
  makeFolder(world.home.log);
  rotate(join(world.home.log, "daemon.out"));
  const out = openSync(join(world.home.log, "daemon.out"), "a", 0o600);
  spawn(world.search.node, [world.entry, "fleet", "serve"], {
    detached: true,
    stdio: ["ignore", out, out],
    cwd: "/",
    env: { ...world.ownEnv, MOSAIC_HOME: world.home.root },
  }).unref();
  closeSync(out);
}

async function endDaemon(pid: number): Promise<void> {
  signal(pid, "SIGTERM");
  await until(() => (isGone(pid) ? true : undefined), { withinMs: 5_000 });
}

/** Whether a running daemon is the unit's. */
function keeperOf(world: World, pid: number): SupervisorKind {
  try {
    const groups = readFileSync(`/proc/${pid}/cgroup`, "utf8");
    return groups.includes(`/${unitNames(world.home).daemon}\n`) ? "systemd" : "builtin";
  } catch {
    return "builtin";
  }
}
