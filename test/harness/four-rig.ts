import { expect } from "vitest";

import type { Message } from "../../src/contract/message.ts";
import { claudeEnv } from "../model/claude-home.ts";
import { writeCodexHome } from "../model/codex-home.ts";
import { writeOpencodeHome } from "../model/opencode-home.ts";
import { writePiHome } from "../model/pi-home.ts";
import { makeRig, rosterOf, type Rig } from "../rig.ts";

/** What the tests share that run on each of the four real harnesses. */
export const runtimes = ["claude", "pi", "codex", "opencode"] as const;
export type Runtime = (typeof runtimes)[number];

const bins = runtimes.map((name) => process.env[`MOSAIC_TEST_${name.toUpperCase()}`] ?? "");
export const isLacking = bins.includes("");

/** A fleet of one agent for each harness, named after it. */
export async function setUp(url: string, names: readonly Runtime[]): Promise<Rig> {
  const rig = makeRig({ path: bins.filter((bin) => bin !== "").join(":") });
  writePiHome(rig.root, url);
  writeCodexHome(rig.root, url);
  writeOpencodeHome(rig.root, url);
  const extra = {
    claude: `, model: scripted-large, env: ${JSON.stringify(claudeEnv(url))}`,
    pi: "",
    codex: "",
    opencode: "",
  };
  rig.roster(
    rosterOf(
      ...names.map(
        (name, at) =>
          `{ name: ${name}, role: ${at === 0 ? "orchestrator" : "worker"}, runtime: ${name}, workdir: ~/work${extra[name]} }`,
      ),
    ),
  );
  const started = await rig.fleet("start");
  expect([started.code, started.err]).toEqual([0, "Next: mosaic fleet ps\n"]);
  return rig;
}

/** What a verb about messages answers. */
export const messages = async (rig: Rig, ...args: string[]): Promise<Message[]> =>
  (JSON.parse((await rig.fleet(...args, "--json")).out) as { messages: Message[] }).messages;
