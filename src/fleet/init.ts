import { readFileSync, realpathSync, statSync } from "node:fs";
import { basename, isAbsolute, join, relative, resolve } from "node:path";

import { namePattern, runtimes, type Runtime } from "../contract/agent.ts";
import type { Wiring } from "../contract/connector.ts";
import { harnessOf, supported } from "../harness/index.ts";
import { writeAtomic } from "../lib/atomic.ts";
import { FleetError, systemCode, wordSystemFault } from "../lib/errors.ts";
import { withLock } from "../lib/lock.ts";
import { quote } from "../lib/quote.ts";
import { loadRoster, type LoadedRoster } from "../roster/load.ts";
import { findPresets, type FoundPreset } from "../roster/preset.ts";
import { composeRoster, readBack, reviseRoster, type Answers, type Installed } from "./compose.ts";
import { chooseSupervisor, requireSupervisor } from "./supervision.ts";
import { withAccount } from "./wire.ts";
import type { World } from "./world.ts";

/** Everything an init knows before the first question. */
export interface Situation {
  path: string;
  /** The roster's text and meaning where there is one already. */
  current: { text: string; roster: LoadedRoster } | undefined;
  presets: FoundPreset[];
  broken: FleetError[];
  installed: Runtime[];
}

/** What an init would write. */
export interface Draft {
  path: string;
  before: string | undefined;
  text: string;
  roster: LoadedRoster;
  /** The chat service that was asked for. */
  connector: Wiring | undefined;
  /** Agents that got another runtime than their preset likes best, because that one is not installed or cannot be run. */
  fallbacks: { agent: string; liked: Runtime; got: Runtime }[];
  /** Runtimes that the roster uses and this machine lacks, with the line that installs each. */
  missing: { runtime: Runtime; install: string }[];
}

/** Looks at what is there: roster, presets, harnesses. Changes nothing. */
export async function lookAround(world: World): Promise<Situation> {
  const { home } = world;
  const { presets, broken } = findPresets({ shipped: world.assets.presets, yours: home.presets });
  let text: string | undefined;
  try {
    text = readFileSync(home.roster, "utf8");
  } catch (error) {
    if (systemCode(error) !== "ENOENT") throw wordSystemFault(error, `read ${home.roster}`);
  }
  const current = text === undefined ? undefined : { text, roster: loadRoster(home.roster, home.user) };
  const found = await Promise.all(
    supported.map(async (runtime) => ((await harnessOf(runtime)).locate(undefined, world.search) ? [runtime] : [])),
  );
  return { path: home.roster, current, presets, broken, installed: found.flat() };
}

/** The preset of that name, or the sentence with those there are. */
export function presetNamed(situation: Pick<Situation, "presets" | "broken">, name: string): FoundPreset {
  const found = situation.presets.find((one) => one.name === name);
  if (found !== undefined) return found;
  const names = situation.presets.map((one) => one.name).join(", ");
  throw new FleetError("not-found", `There is no preset ${JSON.stringify(name)}; there are ${names}.`, {
    hint: "mosaic fleet preset list",
  });
}

/** Checks an answer for a name. */
export function checkName(name: string): string {
  if (namePattern.test(name)) return name;
  throw new FleetError(
    "usage",
    `${JSON.stringify(name)} is not a name: 1 to 32 of a-z, 0-9 and -, beginning with a letter.`,
    { hint: "mosaic fleet init --name my-fleet" },
  );
}

/** Checks a folder and says how it stands in the roster: `~/…` below the home, absolute elsewhere. */
export function checkWorkdir(world: World, folder: string, cwd: string): string {
  if (folder === "") {
    throw new FleetError("usage", "The work folder has no name.", { hint: "mosaic fleet init --workdir ." });
  }
  const path =
    folder === "~" || folder.startsWith("~/") ? join(world.home.user, folder.slice(1)) : resolve(cwd, folder);
  let isFolder = false;
  try {
    isFolder = statSync(path).isDirectory();
  } catch {
    // said below
  }
  if (!isFolder)
    throw new FleetError("not-found", `The work folder does not exist: ${path}.`, { hint: `mkdir -p ${quote(path)}` });
  const way = relative(world.home.user, path);
  if (way === "") return "~";
  return way.startsWith("..") || isAbsolute(way) ? path : `~/${way}`;
}

/** A sensible name for a fleet that works in that folder. */
export function suggestName(folder: string): string {
  const word = (folder === "~" ? "home" : basename(folder))
    .toLowerCase()
    .replaceAll(/[^a-z0-9-]+/g, "-")
    .replace(/^[^a-z]+/, "")
    .slice(0, 32)
    .replace(/-+$/, "");
  return namePattern.test(word) ? word : "fleet";
}

/** Makes the text that the answers mean. Pure but for what was looked at before. */
export async function draft(world: World, situation: Situation, answers: Answers): Promise<Draft> {
  const { current, path } = situation;
  const installed: Installed = {
    has: (runtime) => situation.installed.includes(runtime),
    supports: (runtime) => supported.includes(runtime),
  };
  if (answers.supervisor !== undefined) requireSupervisor(world, chooseSupervisor(world, answers.supervisor));
  for (const asked of [answers.runtime, answers.orchestratorRuntime]) if (asked !== undefined) await harnessOf(asked);
  let text: string;
  if (current === undefined) {
    const type = answers.type ?? presetNamed(situation, "general");
    const workdir = answers.workdir ?? "~";
    text = composeRoster(type, { ...answers, name: answers.name ?? "fleet", workdir }, installed);
  } else {
    const before = situation.presets.find((one) => one.name === current.roster.preset);
    text = reviseRoster(current.text, current.roster, answers, before, installed);
  }
  if (answers.connector !== undefined) text = withAccount(text, current?.roster.connectors ?? [], answers.connector);
  const roster = readBack(text, path, world.home.user);
  const used = new Set(roster.agents.map((agent) => agent.runtime));
  const lacking = runtimes.filter(
    (runtime) =>
      runtime !== "command" &&
      used.has(runtime) &&
      !situation.installed.includes(runtime) &&
      supported.includes(runtime),
  );
  const missing = await Promise.all(
    lacking.map(async (runtime) => ({ runtime, install: (await harnessOf(runtime)).install })),
  );
  return {
    path,
    before: current?.text,
    text,
    roster,
    connector: answers.connector,
    fallbacks: fallbacksOf(situation, answers, roster),
    missing,
  };
}

function fallbacksOf({ current, presets }: Situation, answers: Answers, roster: LoadedRoster): Draft["fallbacks"] {
  if (current !== undefined) return [];
  const type = answers.type ?? presets.find((one) => one.name === "general");
  return roster.agents.flatMap((agent) => {
    const asked = agent.role === "orchestrator" ? answers.orchestratorRuntime : answers.runtime;
    const [liked] = [type?.preset.agents.find((one) => one.name === agent.name)?.runtime ?? []].flat();
    return asked !== undefined || liked === undefined || liked === agent.runtime
      ? []
      : [{ agent: agent.name, liked, got: agent.runtime }];
  });
}

/** Writes a draft as a whole, unless somebody changed the roster since it was looked at. */
export async function commit(world: World, made: Draft): Promise<void> {
  if (made.text === made.before) return;
  await withLock(join(world.home.locks, "roster.lock"), { what: "the roster" }, () => {
    let now: string | undefined;
    try {
      now = readFileSync(made.path, "utf8");
    } catch (error) {
      if (systemCode(error) !== "ENOENT") throw error;
    }
    if (now !== made.before) {
      throw new FleetError("conflict", `${made.path} was changed meanwhile; nothing was written.`, {
        hint: "mosaic fleet init",
      });
    }
    // A roster that lies elsewhere (a link into somebody's dotfiles) is written where it lies.
    const target = made.before === undefined ? made.path : realpathSync(made.path);
    writeAtomic(target, made.text, { mode: 0o600 });
    world.log({ event: "roster-written", note: made.path });
  });
}
