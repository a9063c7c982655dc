import { spawnSync } from "node:child_process";

import { expect } from "vitest";

import { readSession } from "../../src/harness/codex/session.ts";
import { readRollout } from "../../src/harness/codex/transcript.ts";
import { until } from "../../src/lib/wait.ts";
import { writeCodexHome } from "../model/codex-home.ts";
import { makeRig, rosterOf, type Rig } from "../rig.ts";
import { terminal } from "./desk.ts";

/** What the tests of Codex share: a fleet of real Codex agents on the scripted model, and looks behind mosaic's back. */
export const codexBin = process.env["MOSAIC_TEST_CODEX"] ?? "";

export const agentOf = (name: string, more = ""): string =>
  `{ name: ${name}, role: ${name === "mos" ? "orchestrator" : "worker"}, runtime: codex, workdir: ~/work${more} }`;

/** A home and a roster, nothing started. */
export function layRig(url: string, ...agents: string[]): Rig {
  const rig = makeRig({ path: codexBin });
  writeCodexHome(rig.root, url);
  rig.roster(rosterOf(...(agents.length === 0 ? [agentOf("mos")] : agents)));
  return rig;
}

export async function setUp(url: string, ...agents: string[]): Promise<Rig> {
  const rig = layRig(url, ...agents);
  const started = await rig.fleet("start");
  expect([started.code, started.err]).toEqual([0, "Next: mosaic fleet ps\n"]);
  return rig;
}

/** The conversation as Codex itself wrote it down. */
export const conversation = (rig: Rig, name: string, who: "user" | "agent"): string[] =>
  readRollout(readSession(rig.place(name).session)?.file ?? "", Infinity)
    .filter((said) => said.who === who)
    .map((said) => said.text);

export const answered = (rig: Rig, name: string, count: number): Promise<true | undefined> =>
  until(() => (conversation(rig, name, "agent").length >= count ? true : undefined), { withinMs: 60_000 });

export const isIdle = (rig: Rig, name = "mos") => rig.settled(name, (agent) => agent.state === "idle");

export const screenShows = (rig: Rig, text: string, name = "mos"): Promise<true | undefined> =>
  until(async () => (await terminal.capture({ name, socket: rig.place(name).terminal })).includes(text) || undefined, {
    withinMs: 20_000,
  });

/** Types at a person's pace: Codex takes a burst for a paste, and the Enter after it for a line break. */
export const typeKeys = (rig: Rig, ...keys: string[]) =>
  spawnSync("tmux", ["-S", rig.place("mos").terminal, "send-keys", "-t", "=mos:", ...keys]);
