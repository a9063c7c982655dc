import { expect, test } from "vitest";

import { discordForTest, listenTo } from "../../../test/discord/rig.ts";
import { words } from "../../chat/orders.ts";
import { soon } from "../suite-rig.ts";

const made = (asked: { method: string; path: string }[]) =>
  asked.filter(({ method, path }) => method === "POST" && path.endsWith("/commands"));

test("the fleet's words are in Discord's menu, are made once, and come in as text", async () => {
  const { double, ids, wiring } = await discordForTest();
  const one = listenTo(wiring, ids.token, { words });
  await expect.poll(() => double.menu(), soon).toHaveLength(words.length);
  expect((await double.menu()).find(({ name }) => name === "ask")).toMatchObject({
    description: "write to another agent; its answer comes here",
    options: [
      { type: 3, name: "agent", required: true },
      { type: 3, name: "text", required: true },
    ],
  });
  expect(new Set(made(await double.asked()).map(({ path }) => path))).toEqual(
    new Set([`/applications/${ids.bot}/guilds/${ids.guild}/commands`]),
  );
  await one.stop();
  // Somebody else's hand: of the last one the words are others now.
  await double.rename("help", "what it was called before");
  const other = listenTo(wiring, ids.token, { words, store: one.store });
  const help = async () => (await double.menu()).find(({ name }) => name === "help")?.description;
  await expect.poll(help, soon).toBe("list these");
  await other.is("up");
  expect(made(await double.asked())).toHaveLength(words.length + 1);
});

test("a bot that may have none is heard as ever; the reason is in the log, once", async () => {
  const { double, ids, wiring } = await discordForTest();
  await double.behave({ menuAllowed: false });
  const one = listenTo(wiring, ids.token, { words });
  await one.is("up");
  await expect.poll(() => one.logs, soon).toHaveLength(1);
  await double.drop();
  await expect.poll(async () => (await double.counts()).dials, soon).toBe(2);
  await one.is("up");
  await double.post("owner", ids.general, { text: "hello" });
  await one.heard("hello");
  expect(one.logs).toEqual([expect.stringMatching(/^discord-menu .*Missing Access/)]);
});

test("wired to no server its words are the bot's everywhere", async () => {
  const { double, ids, wiring } = await discordForTest();
  listenTo({ ...wiring, guild: undefined, channels: [] }, ids.token, { words });
  await expect.poll(() => double.menu(), soon).toHaveLength(words.length);
  expect(made(await double.asked())[0]?.path).toBe(`/applications/${ids.bot}/commands`);
});
