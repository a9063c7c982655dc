import { writeFileSync } from "node:fs";
import { join } from "node:path";

import { expect, onTestFinished } from "vitest";

import type { Message } from "../../src/contract/message.ts";
import { makeRig, rosterOf, type Rig } from "../rig.ts";
import { startDiscordDouble } from "./double.ts";

/** The roster's line of an orchestrator that is a program. */
export const agentMos = (command = "[cat]", restart = "always"): string =>
  `{ name: mos, role: orchestrator, runtime: command, command: ${command}, restart: ${restart}, workdir: ~/work }`;

/** A fleet that is connected to a double of Discord's, the way a person would connect it. */
export async function connectedFleet(options: { owner?: boolean; command?: string; restart?: string } = {}) {
  const double = await startDiscordDouble();
  onTestFinished(async () => {
    await double.thaw();
    await double[Symbol.asyncDispose]();
  });
  const ids = await double.ids();
  const rig = makeRig();
  rig.roster(rosterOf(agentMos(options.command, options.restart)));
  expect((await rig.fleet("start")).code).toBe(0);
  const token = join(rig.root, "token");
  writeFileSync(token, `${ids.token}\n`);
  const owner = options.owner === false ? [] : ["--owner", ids.owner];
  const where = ["--url", double.url, "--guild", ids.guild, "--channel", ids.general];
  const added = await rig.fleet("connect", "add", "discord", ...where, ...owner, "--token-file", token);
  expect(added).toMatchObject({
    code: 0,
    out: expect.stringContaining("discord knows the token"),
    err: expect.stringContaining("Kept as discord.\nIt is up.\n"),
  });
  const shown = async (channel = ids.general) => double.shown(channel);
  const ours = async (channel = ids.general) =>
    (await shown(channel)).filter((one) => one.author.id === ids.bot).map((one) => one.content);
  return {
    double,
    ids,
    rig,
    shown,
    ours,
    say: (text: string, by: "owner" | "friend" | "stranger" = "owner", agoMs?: number) =>
      double.post(by, ids.general, { text, agoMs }),
  };
}

export const soon = { timeout: 20_000, interval: 50 };
/** Waits until the connection stands so, as `connect list` says. */
export const isState = (rig: Rig, state: string) =>
  expect
    .poll(
      async () =>
        (
          JSON.parse((await rig.fleet("connect", "list", "--json")).out) as {
            connections: { health: { state: string } | null }[];
          }
        ).connections[0]?.health?.state,
      { timeout: 30_000 },
    )
    .toBe(state);
/** What was made a message for the orchestrator, in order. */
export const letters = async (rig: Rig) =>
  (JSON.parse((await rig.fleet("inbox", "mos", "-n", "2000", "--json")).out) as { messages: Message[] }).messages.map(
    (one) => one.text,
  );
