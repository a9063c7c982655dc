import { expect, test } from "vitest";

import { discordForTest, listenTo } from "../../../test/discord/rig.ts";
import { memoryStore } from "../memory-intake.ts";
import { soon } from "../suite-rig.ts";

test("a mention, a reply to us and our role are to us; the mention is no part of the text", async () => {
  const { double, ids, wiring } = await discordForTest();
  const one = listenTo(wiring, ids.token);
  await one.is("up");
  const ours = await one.connector.send(
    { kind: "text", key: "k", chat: ids.general, text: "ours" },
    AbortSignal.timeout(5_000),
  );
  const replyTo = ours.kind === "sent" ? ours.ids[0] : undefined;
  for (const text of [
    `<@${ids.bot}> ps`,
    `<@!${ids.bot}>, hello`,
    ` <@&${ids.role}>: roll`,
    `tell <@${ids.bot}>`,
    "all of you",
  ]) {
    await double.post("owner", ids.general, { text });
  }
  await double.post("owner", ids.general, { text: "again", replyTo });
  await double.post("owner", ids.general, { text: "quietly", replyTo, isQuiet: true });
  await expect
    .poll(() => one.store.handedOn.slice(1).map((row) => [row.text, row.isToUs]), soon)
    .toEqual([
      ["ps", true],
      ["hello", true],
      ["roll", true],
      [`tell <@${ids.bot}>`, true],
      ["all of you", false],
      ["again", true],
      ["quietly", true],
    ]);
});

test("only wired channels, their threads and direct messages are heard, and only what people write", async () => {
  const { double, ids, wiring } = await discordForTest();
  const one = listenTo(wiring, ids.token);
  await one.is("up");
  const elsewhere = await double.thread(ids.unwired);
  const below = await double.thread(ids.general);
  for (const channel of [ids.unwired, ids.foreign, ids.second, elsewhere])
    await double.post("owner", channel, { text: "not for us" });
  await double.announce("owner", ids.general, 7);
  const id = await double.post("owner", ids.general, { text: "see http://example.org" });
  await double.unfurl(ids.general, id);
  await double.post("owner", below, { text: "below" });
  await double.post("stranger", await double.direct("stranger"), { text: "direct" });
  await one.heard("see http://example.org", "below", "direct");
  expect(one.logs, "nothing of it was taken for a message that cannot be read").toEqual([]);
  await double.post("owner", ids.unwired, { text: "not for us" });
  await double.post("owner", ids.general, { text: "last" });
  await one.heard("see http://example.org", "below", "direct", "last");
  const lookedUp = (await double.asked()).filter((asked) => asked.path === `/channels/${ids.unwired}`);
  expect(lookedUp, "a channel is looked up once").toHaveLength(1);
});

test("what a moderator takes away at once is told of, one by one", async () => {
  const { double, ids, wiring } = await discordForTest();
  const one = listenTo(wiring, ids.token);
  await one.is("up");
  const gone = [
    await double.post("owner", ids.general, { text: "a" }),
    await double.post("owner", ids.general, { text: "b" }),
  ];
  await double.purge(ids.general, gone);
  await one.heard("a", "b", "", "");
  expect(one.store.handedOn.slice(2).map((row) => [row.kind, row.id])).toEqual(gone.map((id) => ["delete", id]));
});

test("a slash command is text without a message, and is answered for its sender alone once it is stored", async () => {
  const { double, ids, wiring } = await discordForTest();
  const one = listenTo(wiring, ids.token, { store: memoryStore((row) => row.speaker.id === ids.owner, [ids.general]) });
  await one.is("up");
  const strange = await double.command("stranger", ids.general, "status", []);
  const told = await double.command("owner", ids.general, "ask", ["coder", "how is it?", 3]);
  await one.heard("/ask coder how is it? 3");
  expect(one.store.handedOn[0]).toMatchObject({ kind: "word", isToUs: true, chat: ids.general });
  await expect
    .poll(async () => (await double.interaction(told))?.answered, soon)
    .toMatchObject({ type: 4, content: "Heard. The answer follows here." });
  expect((await double.interaction(strange))?.answered).toBeUndefined();
});

test("what no Discord would send ends nothing", async () => {
  const { double, ids, wiring } = await discordForTest();
  const one = listenTo(wiring, ids.token);
  await one.is("up");
  const create = (d: unknown) => JSON.stringify({ op: 0, s: 3, t: "MESSAGE_CREATE", d });
  const strange = { guild_id: ids.guild, channel_id: ids.general, id: "1", author: { id: "1" } };
  for (const frame of [
    "",
    "null",
    "{",
    '"x"',
    "[]",
    '{"op":99}',
    create(null),
    create({}),
    create({ ...strange, mentions: 7 }),
  ]) {
    double.raw.gateway.raw(frame);
  }
  await double.post("owner", ids.general, { text: "still here" });
  await one.heard("still here");
  expect((await double.counts()).connections).toBe(1);
});

test("a channel that cannot be read is said to be, and the others are heard", async () => {
  const { double, ids, wiring } = await discordForTest();
  await double.deny(ids.second, String(1n << 10n));
  const one = listenTo({ ...wiring, channels: [ids.second, ids.general] }, ids.token);
  await one.is("degraded");
  expect(one.healths.at(-1)?.detail).toMatch(new RegExp(`${ids.second}.*Missing Access.*View Channel`));
  await double.post("owner", ids.general, { text: "hello" });
  await one.heard("hello");
});

test.for([false, true])(
  "a channel of another server is not heard, though it be wired (readable: %s)",
  async (isOnBoth) => {
    const { double, ids, wiring } = await discordForTest();
    await double.behave({ isOnBoth });
    const store = memoryStore(() => true, [ids.general, ids.foreign]);
    const both = { ...wiring, channels: [ids.foreign, ids.general] };
    const first = listenTo(both, ids.token, { store });
    await first.is("degraded");
    await double.post("owner", ids.foreign, { text: "from afar" });
    await double.post("owner", ids.general, { text: "hello" });
    await first.heard("hello");
    await first.stop();
    await double.forget();
    await double.post("owner", ids.foreign, { text: "missed afar" });
    await double.post("owner", ids.general, { text: "missed" });
    const one = listenTo(both, ids.token, { store });
    await one.heard("hello", "missed");
    await one.is("degraded");
    await double.drop();
    await expect.poll(async () => (await double.counts()).resumed, soon).toBe(1);
    await double.post("owner", ids.general, { text: "resumed" });
    await one.heard("hello", "missed", "resumed");
    expect(one.healths.at(-1), "it is still said").toMatchObject({ state: "degraded" });
  },
);
