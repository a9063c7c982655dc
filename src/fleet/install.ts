import { existsSync, rmdirSync, rmSync } from "node:fs";
import { userInfo } from "node:os";
import { dirname, join } from "node:path";

import type { Finding } from "../contract/command.ts";
import { FleetError, systemCode } from "../lib/errors.ts";
import { exec } from "../lib/exec.ts";
import { laidUnits, layUnits, setAtBoot } from "../supervisor/systemd/files.ts";
import { unitNames } from "../supervisor/systemd/names.ts";
import { lingers, mustSystemctl, systemctl, whyUnreachable } from "../supervisor/systemd/systemctl.ts";
import type { Observed } from "./observe.ts";
import { chooseSupervisor } from "./supervision.ts";
import type { World } from "./world.ts";

/** The line that lets a user's units outlive the last logout. */
export const lingerLine = (): string => `sudo loginctl enable-linger ${userInfo().username}`;

/**
 * Hands the fleet to the person's systemd: writes its units, has systemd check them, and lets them begin at boot. Starts
 * no agent. Where the builtin supervisor is the choice it says why, and there is nothing to install.
 */
export async function install(
  world: World,
  setting: "auto" | "systemd" | "builtin",
  ensureDaemon: (kind: "systemd") => Promise<void>,
): Promise<Finding[]> {
  const why = whyUnreachable(world.systemd);
  if (why === undefined && setting !== "builtin" && !lingers()) await exec(["loginctl", "enable-linger"], here(world));
  const choice = chooseSupervisor(world, setting);
  if (choice.kind === "builtin") {
    const text = `nothing to install: mosaic's own daemon keeps the agents (${choice.why})`;
    return [{ level: "note", text, ...(why === undefined && setting === "auto" && { next: lingerLine() }) }];
  }
  await layUnits(world.installation(), world.systemd);
  await ensureDaemon("systemd");
  const laid = laidUnits(world);
  return [
    ...laid.map((file): Finding => ({ level: "good", text: file })),
    ...(await checkUnits(world)),
    lingers()
      ? { level: "good", text: "agents outlive your last logout, and begin at boot (you linger)" }
      : { level: "note", text: "at your last logout systemd ends the agents", next: lingerLine() },
  ];
}

/** Takes the units away again. Roster, conversations and records stay. */
export async function uninstall(world: World, agents: readonly Observed[]): Promise<Finding[]> {
  const running = agents.filter(
    ({ unit }) =>
      unit.by === "systemd" && (unit.process !== "none" || (unit.wanted === "up" && unit.quarantined === undefined)),
  );
  if (running.length > 0) {
    const names = running.map((one) => one.agent.name).join(", ");
    throw new FleetError("conflict", `systemd keeps ${names}; nothing was removed.`, {
      hint: "mosaic fleet stop, then: mosaic fleet uninstall",
    });
  }
  const files = laidUnits(world);
  if (files.length === 0) return [{ level: "note", text: "no unit of this fleet is installed" }];
  const { daemon } = unitNames(world.home);
  setAtBoot(world, daemon, false);
  const reachable = whyUnreachable(world.systemd) === undefined;
  if (reachable) await systemctl(world.systemd, ["stop", daemon]);
  for (const file of files) {
    rmSync(file, { force: true });
    if (file.endsWith("limits.conf")) removeEmpty(dirname(file));
  }
  if (reachable) await mustSystemctl(world.systemd, "read its units again", ["daemon-reload"]);
  return files.map((file) => ({ level: "good", text: `removed ${file}` }));
}

/** A folder that holds something more is the person's. */
function removeEmpty(folder: string): void {
  try {
    rmdirSync(folder);
  } catch (error) {
    if (systemCode(error) !== "ENOTEMPTY") throw error;
  }
}

/** What systemd itself says of the units; it ends with a word for every line that it does not understand. */
export async function checkUnits(world: World): Promise<Finding[]> {
  const names = unitNames(world.home);
  // A template is checked as one of its instances.
  const units = [names.daemon, names.agent("check")].filter((name) =>
    existsSync(join(world.home.units, name.replace(/@.*\./, "@."))),
  );
  if (units.length === 0) return [];
  const files = units.map((name) => join(world.home.units, name));
  const ran = await exec(["systemd-analyze", "--user", "verify", ...files], here(world));
  if (ran.code === 127) return [];
  const said = ran.stderr.trim();
  if (ran.code === 0 && said === "") return [{ level: "good", text: "systemd understands the units" }];
  return [{ level: "bad", text: `systemd says of the units: ${said}`, next: `ls ${dirname(files[0] ?? "")}` }];
}

/** How systemd's programs are called: as little environment as they need. */
const here = (world: World) => ({
  env: {
    PATH: world.search.path,
    LANG: "C.UTF-8",
    HOME: world.home.user,
    XDG_RUNTIME_DIR: world.systemd.runtimeDir,
  },
  timeoutMs: 20_000,
});
