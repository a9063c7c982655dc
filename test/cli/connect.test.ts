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

test("connect add without a flag asks for exactly what is needed, tries the token and connects", async () => {
  const { double, rig, ids } = await wired();
  const { sees, type, code, screen } = await typedIn(rig, `fleet connect add discord --url ${double.url}`);
  for (const [question, answer] of [
    ["server's id?", ids.guild],
    ["channel's id?", ids.general],
    ["Your own id", ids.owner],
    ["token of the discord bot", ids.token],
  ] as const) {
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

test("what cannot be added is said before anything is asked", async () => {
  const rig = makeRig();
  const none = await typedIn(rig, "fleet connect add discord");
  await none.sees("There is no fleet yet");
  expect([await none.code(), (await none.screen()).includes("token")]).toEqual(["exit=3", false]);
});
