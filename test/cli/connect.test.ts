import { rmSync } from "node:fs";

import { expect, onTestFinished, test } from "vitest";

import { parseRoster } from "../../src/roster/load.ts";
import { startDiscordDouble } from "../discord/double.ts";
import { agentMos } from "../discord/fleet-rig.ts";
import { makeRig, rosterOf } from "../rig.ts";
import { typedIn } from "../typed.ts";

async function wired() {
  const double = await startDiscordDouble();
  onTestFinished(() => double[Symbol.asyncDispose]());
  const rig = makeRig();
  rig.roster(rosterOf(agentMos()));
  return { double, rig, ids: await double.ids() };
}

const answersOf = (ids: Record<"guild" | "general" | "owner" | "token", string>) =>
  [
    ["server's id?", ids.guild],
    ["channel's id?", ids.general],
    ["Your own id", ids.owner],
    ["token of the discord bot", ids.token],
  ] as const;

test("connect add without a flag asks for exactly what is needed, tries the token and connects", async () => {
  const { double, rig, ids } = await wired();
  const { sees, type, code, screen } = await typedIn(rig, `fleet connect add discord --url ${double.url}`);
  for (const [question, answer] of answersOf(ids)) {
    await sees(question);
    await type(answer);
  }
  await sees("It is up.");
  expect(await code()).toBe("exit=0");
  expect(await screen()).not.toContain("canary");
  expect(parseRoster(rig.rosterText(), "r", rig.root).connectors).toMatchObject([
    { account: "discord", guild: ids.guild, channels: [ids.general], owners: [ids.owner] },
  ]);
});

test("what is left empty is done without: direct messages only, and people by a code", async () => {
  const { double, rig, ids } = await wired();
  const { sees, type, press, code } = await typedIn(rig, `fleet connect add discord --url ${double.url}`);
  await sees("server's id?");
  await press("Enter");
  await sees("Your own id");
  await type("ada");
  await sees("is not an id of Discord's");
  await press("C-u");
  await press("Enter");
  await sees("token of the discord bot");
  await type(ids.token);
  await sees("Next: mosaic fleet connect pair discord");
  expect(await code()).toBe("exit=0");
  expect(parseRoster(rig.rosterText(), "r", rig.root).connectors).toMatchObject([
    { account: "discord", guild: undefined, channels: [], owners: [] },
  ]);
});

test.for([
  ["connect add discord", ""],
  ["init --type coding --workdir . --name work --runtime pi --orchestrator-runtime pi --connector discord", "Write "],
])("%s: a slip in an id or in the token loses no other answer", async ([command = "", last = ""]) => {
  const { double, rig, ids } = await wired();
  if (last !== "") rmSync(rig.home.roster);
  const { sees, type, press, code, screen } = await typedIn(rig, `fleet ${command} --url ${double.url}`);
  const times = (text: string) => expect.poll(async () => (await screen()).split(text).length - 1, { timeout: 10_000 });
  await sees("server's id?");
  await type(ids.guild);
  await sees("channel's id?");
  await press("Enter");
  await sees("It is needed");
  await type("123");
  await sees("Your own id");
  await type(ids.owner);
  if (last !== "") {
    await sees(`Reached from discord: server ${ids.guild}, channel 123; heard: ${ids.owner}.`);
    await press("Enter");
  }
  await sees("token of the discord bot");
  await type("not.the.token");
  await sees("refuses the bot's token");
  await sees("What now?");
  await press("Enter");
  await times("token of the discord bot").toBe(2);
  await type(ids.token);
  await sees("cannot see the channel 123");
  await times("server's id?").toBe(2);
  await press("Enter");
  await times("channel's id?").toBe(2);
  await press("C-u");
  await type(ids.general);
  await times("Your own id").toBe(2);
  await press("Enter");
  expect(await code()).toBe("exit=0");
  expect(await screen()).not.toContain("canary");
  expect(parseRoster(rig.rosterText(), "r", rig.root).connectors).toMatchObject([
    { account: "discord", guild: ids.guild, channels: [ids.general], owners: [ids.owner] },
  ]);
  expect((await rig.fleet("connect", "test", "discord")).code).toBe(0);
});

test("what is mended at Discord meanwhile is tried again with the same answers, or given up and nothing is kept", async () => {
  const { double, rig, ids } = await wired();
  await double.behave({ contentAllowed: false });
  const flags = `--url ${double.url} --name work`;
  const { sees, type, press, code } = await typedIn(rig, `fleet connect add discord ${flags}`);
  for (const [question, answer] of answersOf(ids)) {
    await sees(question);
    await type(answer);
  }
  await sees("Message Content Intent: Discord Developer Portal");
  await sees("What now?");
  expect(parseRoster(rig.rosterText(), "r", rig.root).connectors).toEqual([]);
  await double.behave({ contentAllowed: true });
  await press("Down");
  await press("Enter");
  await sees("It is up.");
  expect(await code()).toBe("exit=0");
  expect(parseRoster(rig.rosterText(), "r", rig.root).connectors).toMatchObject([{ account: "work" }]);
});

test("what cannot be added is said before anything is asked", async () => {
  const rig = makeRig();
  const none = await typedIn(rig, "fleet connect add discord");
  await none.sees("There is no fleet yet");
  expect([await none.code(), (await none.screen()).includes("token")]).toEqual(["exit=3", false]);
});
