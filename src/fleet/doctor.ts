import { accessSync, constants, mkdirSync, statfsSync } from "node:fs";
import { dirname, join } from "node:path";

import type { Finding } from "../contract/command.ts";
import { harnessOf, supported } from "../harness/index.ts";
import { whyUnusable } from "../lib/database.ts";
import { FleetError, systemCode } from "../lib/errors.ts";
import { exec } from "../lib/exec.ts";
import { findExecutable } from "../lib/find-executable.ts";
import { quote } from "../lib/quote.ts";
import { readRosterText } from "../roster/load.ts";
import { lingers, systemctl, whyUnreachable } from "../supervisor/systemd/systemctl.ts";
import { findHarness, versionOf } from "./find-harness.ts";
import { checkUnits, lingerLine } from "./install.ts";
import type { World } from "./world.ts";

const least = { node: [22, 19], tmux: [3, 2] } as const;
/** Below this much room a roster, a database and a day of logs may not fit. */
const leastFree = 200 * 1024 * 1024;

/** Looks at everything a fleet needs of this machine. Changes nothing but creating the home where it is missing. */
export async function examine(world: World): Promise<Finding[]> {
  const [tmux, systemd, harnesses, roster] = await Promise.all([
    tmuxOf(world),
    systemdOf(world),
    harnessesOf(world),
    rosterOf(world),
  ]);
  return [nodeOf(), tmux, ...homeOf(world), ...systemd, ...harnesses, ...roster];
}

function nodeOf(): Finding {
  const { node } = process.versions;
  if (atLeast(node, least.node)) return { level: "good", text: `Node ${node}` };
  return {
    level: "bad",
    text: `Node ${node} is too old; ${least.node.join(".")} or newer is needed`,
    next: "install Node 24 from your package manager or nodejs.org",
  };
}

async function tmuxOf(world: World): Promise<Finding> {
  const ran = await exec(["tmux", "-V"], { env: { PATH: world.search.path } });
  const version = /\d+\.\d+\w*/.exec(ran.stdout)?.[0];
  if (ran.code !== 0 || version === undefined)
    return { level: "bad", text: "tmux is not installed; agents live in it", next: "apt-get install tmux" };
  if (!atLeast(version, least.tmux))
    return {
      level: "bad",
      text: `tmux ${version} is too old; ${least.tmux.join(".")} or newer is needed`,
      next: "apt-get install tmux",
    };
  return { level: "good", text: `tmux ${version}` };
}

function homeOf({ home }: World): Finding[] {
  const findings: Finding[] = [];
  try {
    mkdirSync(home.fleet, { recursive: true, mode: 0o700 });
    accessSync(home.fleet, constants.W_OK);
    findings.push({ level: "good", text: `home ${home.fleet} can be written` });
    const { bavail, bsize } = statfsSync(home.fleet);
    if (bavail * bsize < leastFree) {
      findings.push({
        level: "bad",
        text: `only ${Math.round((bavail * bsize) / 1024 / 1024)} MB are free below ${home.fleet}`,
        next: `df -h ${home.fleet}`,
      });
    }
  } catch (error) {
    findings.push({
      level: "bad",
      text: `home ${home.fleet} cannot be written (${systemCode(error) ?? "fault"})`,
      next: `ls -ld ${dirname(home.fleet)}`,
    });
  }
  for (const path of [home.messages, home.chat, home.console]) {
    const why = whyUnusable(path);
    if (why === undefined) continue;
    const aside = quote(join(dirname(path), "damaged"));
    // Its log too: a new database would take an old one's log for its own.
    findings.push({
      level: "bad",
      text: `the database ${path}: ${why}`,
      next: `look at it; or begin anew without what is in it: mkdir -p ${aside} && mv ${quote(path)}* ${aside}`,
    });
  }
  if (!home.sockets.startsWith(join(home.fleet, "/"))) {
    findings.push({ level: "note", text: `the home's path is long, so sockets are in ${home.sockets}` });
  }
  return findings;
}

/** Whether the person's own systemd could keep the agents, and whether it would after a logout. */
async function systemdOf(world: World): Promise<Finding[]> {
  const why = whyUnreachable(world.systemd);
  if (why !== undefined) return [{ level: "note", text: `agents are kept by mosaic's own daemon: ${why}` }];
  const ran = await systemctl(world.systemd, ["is-system-running"]);
  const said = ran.stdout.trim() || ran.stderr.trim();
  const bus: Finding = /^(running|degraded|starting)/.test(said)
    ? { level: "good", text: `your systemd answers (${said})` }
    : { level: "bad", text: `your systemd does not answer: ${said}`, next: "systemctl --user status" };
  const linger: Finding = lingers()
    ? { level: "good", text: "your units outlive your last logout (you linger)" }
    : { level: "note", text: "you do not linger: systemd would end agents at your last logout", next: lingerLine() };
  return [bus, linger, ...(await checkUnits(world))];
}

async function harnessesOf(world: World): Promise<Finding[]> {
  const runtimes = supported.filter((runtime) => runtime !== "command");
  return Promise.all(
    runtimes.map(async (runtime): Promise<Finding> => {
      const harness = await harnessOf(runtime);
      const path = harness.locate(undefined, world.search);
      if (path === undefined) return { level: "note", text: `${runtime} is not installed`, next: harness.install };
      const version = await versionOf(world, harness, path);
      if (version === undefined)
        return {
          level: "bad",
          text: `${runtime} (${path}) does not name its version; it may be broken`,
          next: `${runtime} --version`,
        };
      const lacks = (await harness.lacks?.(path, world.search)) ?? [];
      if (lacks.length > 0)
        return {
          level: "bad",
          text: `${runtime} ${version} lacks what mosaic uses: ${lacks.join(", ")}`,
          next: harness.install,
        };
      return { level: "good", text: `${runtime} ${version} (${path})` };
    }),
  );
}

async function rosterOf(world: World): Promise<Finding[]> {
  const { home } = world;
  try {
    readRosterText(home.roster);
  } catch (error) {
    if (error instanceof FleetError && error.code === "not-found")
      return [{ level: "note", text: "there is no fleet yet", next: "mosaic fleet init" }];
    throw error;
  }
  try {
    const { loadRoster } = await import("../roster/load.ts");
    const roster = loadRoster(home.roster, home.user);
    const findings: Finding[] = [{ level: "good", text: `roster ${home.roster}: ${roster.agents.length} agents` }];
    for (const warning of roster.warnings) findings.push({ level: "note", text: warning, next: `edit ${home.roster}` });
    for (const agent of roster.agents) {
      try {
        await findHarness(world, await harnessOf(agent.runtime), agent);
        accessSync(agent.workdir);
      } catch (error) {
        if (error instanceof FleetError)
          findings.push({ level: "bad", text: error.message, next: error.hint ?? "mosaic fleet plan" });
        else
          findings.push({
            level: "bad",
            text: `the work folder of ${agent.name} does not exist: ${agent.workdir}`,
            next: `mkdir -p '${agent.workdir}'`,
          });
      }
    }
    if (findExecutable("git", world.search.path) === undefined)
      findings.push({
        level: "note",
        text: "git is not installed; coding agents want it",
        next: "apt-get install git",
      });
    return findings;
  } catch (error) {
    if (error instanceof FleetError)
      return [{ level: "bad", text: error.message, next: error.hint ?? "mosaic fleet plan" }];
    throw error;
  }
}

function atLeast(version: string, [major, minor]: readonly [number, number]): boolean {
  const [a = 0, b = 0] = version.split(".").map((part) => Number.parseInt(part, 10));
  return a > major || (a === major && b >= minor);
}
