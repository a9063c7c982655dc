import { expect, test } from "vitest";

import { quick } from "../../../test/discord/pace.ts";
import { discordForTest } from "../../../test/discord/rig.ts";
import type { Wiring } from "../../contract/connector.ts";
import { openDiscord } from "./discord.ts";

type Account = Awaited<ReturnType<typeof discordForTest>>;
const probe = (set: Account, changes: Partial<Wiring> = {}, token = set.ids.token) =>
  openDiscord({ ...set.wiring, ...changes }, token, quick).probe(AbortSignal.timeout(5_000));

test("all is well: who we are, no warning, and nothing was changed", async () => {
  const set = await discordForTest();
  expect(await probe(set)).toEqual({
    self: { id: set.ids.bot, name: "mos", isBot: true, isSelf: true },
    warnings: [],
  });
  expect((await set.double.asked()).filter((asked) => asked.method !== "GET")).toEqual([]);
  expect((await set.double.counts()).connections).toBe(0);
});

const right = { viewChannel: 1n << 10n, send: 1n << 11n, history: 1n << 16n };
const failures: [string, (set: Account) => Promise<unknown>, RegExp][] = [
  ["a wrong token", (set) => probe(set, {}, "wrong"), /refuses the bot's token.*Reset Token/],
  ["no Discord there", (set) => probe(set, { url: set.double.url.replace("/api", "/none") }), /no Discord API/],
  [
    "Message Content off",
    async (set) => {
      await set.double.behave({ contentAllowed: false });
      return probe(set);
    },
    /Message Content Intent.*Developer Portal/,
  ],
  [
    "another server",
    (set) => probe(set, { guild: set.ids.otherGuild }),
    /not on the server \d+.*https:\/\/discord\.com\/oauth2/,
  ],
  ["another server's channel", (set) => probe(set, { channels: [set.ids.foreign] }), /cannot see the channel/],
  [
    "no such channel",
    (set) => probe(set, { channels: ["1234567890123456789"] }),
    /cannot see the channel 1234567890123456789.*Copy Channel ID/,
  ],
  [
    "a thread instead of a channel",
    async (set) => probe(set, { channels: [await set.double.thread(set.ids.general)] }),
    /no text channel/,
  ],
  [
    "a forum, which has no messages of its own",
    async (set) => {
      set.double.raw.world.general.type = 15;
      return probe(set);
    },
    /#general .*takes no messages itself.*a forum/,
  ],
  [
    "missing rights",
    async (set) => {
      await set.double.deny(set.ids.general, String(right.send | right.history));
      return probe(set);
    },
    /In #general the bot lacks: Send Messages, Read Message History/,
  ],
  [
    "nobody there",
    async (set) => {
      await set.double.down();
      return probe(set);
    },
    /Discord at http:\/\/127\S+ cannot be reached.*Try again/,
  ],
];
test.for(failures)("%s: a sentence that says what to do", async ([what, act, says]) => {
  const set = await discordForTest();
  await expect(act(set)).rejects.toThrow(says);
  await expect(act(set)).rejects.toMatchObject({
    name: "FleetError",
    hint: `mosaic fleet connect ${what === "a wrong token" ? "token" : "test"} home`,
  });
});

test("what it works without is a warning", async () => {
  const set = await discordForTest();
  const attach = 1n << 15n;
  set.double.raw.world.general.permission_overwrites.push({
    id: set.ids.role,
    type: 0,
    allow: "0",
    deny: String(attach),
  });
  await set.double.behave({ identifiesLeft: 3, menuAllowed: false });
  const { warnings } = await probe(set);
  expect(warnings).toHaveLength(3);
  expect(warnings.join(" ")).toMatch(/Only 3 of 1000.*Discord's menu.*https:\/\/discord\.com\/oauth2.*Attach Files/);
});

test.for<[number, RegExp]>([
  [-1_200_000, /clock is 20 min ahead of Discord's/],
  [600_000, /clock is 10 min behind Discord's/],
])("a clock that is %i ms off is a warning", async ([aheadMs, says]) => {
  const set = await discordForTest();
  await set.double.behave({ aheadMs });
  expect((await probe(set)).warnings).toEqual([expect.stringMatching(says)]);
});

test("threads that cannot be listed are a warning", async () => {
  const set = await discordForTest();
  await set.double.fault({ kind: "echo", times: 1, only: "/threads/active" });
  expect((await probe(set)).warnings).toEqual([expect.stringMatching(/^Which threads there are is not told/)]);
});

test("direct messages alone need no server", async () => {
  const set = await discordForTest();
  expect((await probe(set, { guild: undefined, channels: [] })).warnings).toEqual([]);
});
