import { expect, test } from "vitest";

import { discordForTest, listenTo } from "../../../test/discord/rig.ts";
import { FleetError } from "../../lib/errors.ts";
import { memoryStore } from "../memory-intake.ts";
import { soon } from "../suite-rig.ts";
import { usualPace } from "./account.ts";

/** An account that is listened to. */
async function listened() {
  const set = await discordForTest();
  const one = listenTo(set.wiring, set.ids.token);
  await one.is("up");
  return { ...set, one };
}

/** An account that was listened to, and whose session Discord has forgotten since. */
async function forgotten() {
  const set = await discordForTest();
  const store = memoryStore(() => true, [set.ids.general]);
  const first = listenTo(set.wiring, set.ids.token, { store });
  await first.is("up");
  await first.stop();
  await set.double.forget();
  return { ...set, store };
}

test("an intent that Discord does not allow ends it at once, and says where to switch it on", async () => {
  const { double, ids, wiring } = await discordForTest();
  await double.behave({ contentAllowed: false });
  const one = listenTo(wiring, ids.token);
  const error = await one.ended;
  expect(error).toBeInstanceOf(FleetError);
  expect(error).toMatchObject({
    code: "conflict",
    message: expect.stringContaining("Message Content Intent") as string,
  });
  expect(one.healths.at(-1)).toMatchObject({ state: "needs-auth" });
  expect((await double.counts()).connections).toBe(1);
});

test.for([4010, 4011, 4012, 4013])("close code %i is for a person, and no loop follows", async (code) => {
  const { double, one } = await listened();
  await double.drop(code);
  expect(await one.ended).toBeInstanceOf(FleetError);
  expect((await double.counts()).connections).toBe(1);
});

test("a wrong token never reaches the gateway", async () => {
  const { double, wiring } = await discordForTest();
  const one = listenTo(wiring, "wrong");
  expect(await one.ended).toMatchObject({ message: expect.stringContaining("token") as string });
  expect((await double.counts()).connections).toBe(0);
});

test("a new process resumes the session where its rows end, and fetches nothing", async () => {
  const { double, ids, wiring } = await discordForTest();
  const store = memoryStore(() => true, [ids.general]);
  const first = listenTo(wiring, ids.token, { store });
  await first.is("up");
  await double.post("owner", ids.general, { text: "one" });
  await first.heard("one");
  await first.stop();
  await double.post("owner", ids.general, { text: "two" });
  const before = (await double.asked()).length;
  const second = listenTo(wiring, ids.token, { store });
  await second.heard("one", "two");
  expect(await double.counts()).toMatchObject({ identifies: 1, resumed: 1 });
  expect((await double.asked()).slice(before).filter((one) => one.path.includes("/messages"))).toEqual([]);
});

test("how far the session is, is kept at every beat where events leave no row", async () => {
  const { double, ids, one } = await listened();
  await double.announce("owner", ids.general, 7);
  // READY, the guild, and somebody who joined.
  await expect.poll(() => [...one.store.cursors.values()][0], soon).toContain('"sequence":3');
});

test("a row that cannot be stored comes again", async () => {
  const { double, ids, wiring } = await discordForTest();
  let failures = 1;
  const one = listenTo(wiring, ids.token, {
    admitting: (rows) => {
      if (rows.length > 0 && failures-- > 0) throw new Error("no space is left on the disk");
    },
  });
  await one.is("up");
  // Both at once, so that the second is there already when the first fails.
  await double.freeze();
  await double.post("owner", ids.general, { text: "one" });
  await double.post("owner", ids.general, { text: "two" });
  await double.thaw();
  await one.heard("one", "two");
  expect(one.healths.map((health) => health.detail).join(" ")).toContain("no space is left");
});

test("what was missed and cannot be stored is fetched again", async () => {
  const { double, ids, wiring, store } = await forgotten();
  await double.post("owner", ids.general, { text: "missed" });
  let failures = 2;
  const one = listenTo(wiring, ids.token, {
    store,
    admitting: (rows) => {
      if (rows.length > 0 && failures-- > 0) throw new Error("no space is left on the disk");
    },
  });
  await one.heard("missed");
  await one.is("up");
});

test("where Discord allows no new session today none is asked for, until it allows one", async () => {
  const { double, ids, wiring } = await discordForTest();
  await double.behave({ identifiesLeft: 0, resetAfterMs: 50 });
  const one = listenTo(wiring, ids.token);
  await one.is("degraded");
  expect((await double.counts()).connections).toBe(0);
  await double.behave({ identifiesLeft: 5 });
  await one.is("up");
});

test("an event that waits for a look-up hides no outage, and is taken after it", async () => {
  const { double, ids, one } = await listened();
  const thread = await double.thread(ids.general);
  await double.fault({ kind: "status", status: 503, times: 1_000, only: `GET /api/v10/channels/${thread}` });
  await double.post("owner", thread, { text: "below" });
  await expect.poll(async () => (await double.asked()).some((asked) => asked.status === 503), soon).toBe(true);
  await double.drop();
  await expect.poll(async () => (await double.counts()).connections, soon).toBeGreaterThan(1);
  await double.mend();
  await one.heard("below");
});

test("it can be stopped in the middle of a dial that nobody answers", async () => {
  const { double, ids, wiring, one } = await listened();
  await double.freeze();
  await double.drop();
  await expect.poll(async () => (await double.counts()).dials, soon).toBe(2);
  await one.stop();
  expect(one.healths.at(-1)?.state).toBe("stopped");
  // The dial fails after it was given up, and nobody may fall over that.
  await double.down();
  await double.up();
  await double.thaw();
  await listenTo(wiring, ids.token).is("up");
});

test("a silent connection is noticed within 45 s", () => {
  expect(usualPace.deadMs + usualPace.beatMs).toBeLessThanOrEqual(45_000);
});

test("it dials once after each end, and never again behind our back", async () => {
  const { double } = await listened();
  for (const connections of [2, 3]) {
    await double.drop(4000);
    await expect.poll(async () => double.counts(), soon).toMatchObject({ connections, resumed: connections - 1 });
  }
  // The library would dial again after half a second; the beats tell that more has passed.
  const { beats } = await double.counts();
  await expect.poll(async () => (await double.counts()).beats, soon).toBeGreaterThan(beats + 20);
  expect(await double.counts()).toMatchObject({ connections: 3, identifies: 1 });
});

test.for([1000, 1001, 4000, 4007, 4008, 4009])("closed with %i, it comes back and has missed nothing", async (code) => {
  const { double, ids, one } = await listened();
  await double.post("owner", ids.general, { text: "before" });
  await double.drop(code);
  await double.post("owner", ids.general, { text: "meanwhile" });
  await expect.poll(async () => (await double.counts()).connections, soon).toBeGreaterThan(1);
  await one.is("up");
  await double.post("owner", ids.general, { text: "after" });
  await one.heard("before", "meanwhile", "after");
});

test("where nobody answers at the session's own address, it is resumed at the usual one", async () => {
  const { double, ids, wiring } = await discordForTest();
  await double.behave({ resumeUrl: "ws://127.0.0.1:1/" });
  const one = listenTo(wiring, ids.token);
  await one.is("up");
  await double.drop();
  await double.post("owner", ids.general, { text: "meanwhile" });
  await one.heard("meanwhile");
  expect(await double.counts()).toMatchObject({ identifies: 1, resumed: 1 });
});

test("told to reconnect, it resumes", async () => {
  const { double, ids, one } = await listened();
  double.raw.gateway.raw('{"op":7,"d":null}');
  await expect.poll(async () => (await double.counts()).resumed, soon).toBe(1);
  await double.post("owner", ids.general, { text: "after" });
  await one.heard("after");
});

test("what was missed is fetched a hundred at a time, oldest first, and nothing twice", async () => {
  const { double, ids, wiring, store } = await forgotten();
  const posted: string[] = [];
  for (let at = 0; at < 250; at++) posted.push(await double.post("owner", ids.general, { text: String(at) }));
  const before = (await double.asked()).length;
  const admitted: string[] = [];
  const one = listenTo(wiring, ids.token, {
    store,
    admitting: (rows) => void admitted.push(...rows.map((row) => row.id)),
  });
  await one.is("up");
  expect(admitted).toEqual(posted);
  const pages = (await double.asked())
    .slice(before)
    .filter((asked) => asked.path === `/channels/${ids.general}/messages`);
  expect(pages).toHaveLength(3);
});

test.for(["status", "garbled", "html", "empty", "trickle", "silent", "reset"] as const)(
  "a page that is lost on its way (%s) is asked for again",
  async (kind) => {
    const { double, ids, wiring, store } = await forgotten();
    await double.post("owner", ids.general, { text: "missed" });
    await double.fault({ kind, status: 403, times: 2, only: `GET /api/v10/channels/${ids.general}/messages` });
    const one = listenTo(wiring, ids.token, { store, pace: { requestMs: 200 } });
    await one.heard("missed");
    await one.is("up");
  },
);

test("a direct chat that nobody knew of keeps its order too", async () => {
  const { double, ids, wiring, store } = await forgotten();
  const direct = await double.direct("owner");
  await double.post("owner", direct, { text: "missed" });
  const only = `GET /api/v10/channels/${direct}/messages`;
  await double.fault({ kind: "limit", times: 1, only, retryAfter: { body: 0.3 } });
  const one = listenTo(wiring, ids.token, { store });
  // While it waits for what was missed, more is said.
  await expect.poll(async () => (await double.asked()).some((asked) => asked.status === 429), soon).toBe(true);
  await double.post("owner", direct, { text: "live" });
  await expect.poll(() => store.rows.size, soon).toBe(1);
  await one.heard("missed", "live");
});

test("what is said while a lost session's gap is fetched waits for it", async () => {
  const { double, ids, one } = await listened();
  await double.down();
  await double.forget();
  await double.post("owner", ids.general, { text: "missed" });
  await double.fault({ kind: "limit", times: 1, only: "/messages", retryAfter: { body: 0.3 } });
  await double.up();
  await expect.poll(async () => (await double.asked()).some((asked) => asked.status === 429), soon).toBe(true);
  await double.post("owner", ids.general, { text: "live" });
  await one.heard("missed", "live");
});

test("where strangers wrote directly is not looked at again", async () => {
  const { double, ids, wiring } = await discordForTest();
  const one = listenTo(wiring, ids.token, { store: memoryStore((row) => row.speaker.id === ids.owner, [ids.general]) });
  await one.is("up");
  const direct = await double.direct("stranger");
  await double.post("stranger", direct, { text: "psst" });
  await double.post("owner", ids.general, { text: "before" });
  await one.heard("before");
  await double.forget();
  await double.drop();
  await double.post("owner", ids.general, { text: "after" });
  await one.heard("before", "after");
  expect((await double.asked()).filter((asked) => asked.path.includes(direct))).toEqual([]);
});

test("a channel that is wired later begins with what comes from then on", async () => {
  const { double, ids, wiring, store } = await forgotten();
  await double.post("owner", ids.second, { text: "not for us then" });
  await double.post("owner", ids.general, { text: "missed" });
  const both = { ...wiring, channels: [ids.general, ids.second] };
  const second = listenTo(both, ids.token, { store });
  await second.heard("missed");
  await second.is("up");
  await second.stop();
  await double.forget();
  await double.post("owner", ids.second, { text: "for us now" });
  await listenTo(both, ids.token, { store }).heard("missed", "for us now");
});

test("why it was closed is not overlooked while something is being fetched", async () => {
  const { double, ids, wiring, store } = await forgotten();
  await double.post("owner", ids.general, { text: "missed" });
  await double.fault({ kind: "limit", times: 1, only: "/messages", retryAfter: { body: 30 } });
  const one = listenTo(wiring, ids.token, { store });
  await expect.poll(async () => (await double.asked()).some((asked) => asked.status === 429), soon).toBe(true);
  await double.drop(4014);
  expect(await one.ended).toBeInstanceOf(FleetError);
});

// Waits of a session that ended would be minutes here.
const slow = { baseMs: 30_000, capMs: 60_000, redialMs: 50 };

test("where the gateway does not answer, the waits stay short however often it was dialled", async () => {
  const { double, ids, wiring } = await discordForTest();
  await double.behave({ resumeUrl: "ws://127.0.0.1:1" });
  const first = listenTo(wiring, ids.token);
  await first.is("up");
  await first.stop();
  const second = listenTo(wiring, ids.token, { store: first.store, pace: slow });
  await expect.poll(() => second.healths.at(-1)?.state, { timeout: 3_000 }).toBe("up");
  expect(second.healths.map((health) => health.detail).join(" ")).toContain("cannot be reached");
});

test("where nobody answers at all, they do too", async () => {
  const { double, ids, wiring } = await discordForTest();
  await double.down();
  const one = listenTo(wiring, ids.token, { pace: slow });
  await expect.poll(() => one.healths.at(-1)?.state, { timeout: 3_000 }).toBe("degraded");
  await double.up();
  await expect.poll(() => one.healths.at(-1)?.state, { timeout: 3_000 }).toBe("up");
});

test("where it is not told which threads there are, a line of the log says what that means", async () => {
  const { double, ids, wiring } = await discordForTest();
  await double.fault({ kind: "echo", times: 9, only: "/threads/active" });
  const one = listenTo(wiring, ids.token);
  await one.is("up");
  await expect.poll(() => one.logs.join(" "), soon).toContain("written in them while mosaic is away is not fetched");
  await double.post("owner", ids.general, { text: "heard all the same" });
  await one.heard("heard all the same");
});

test("what was said before the server is available to us is fetched once it is", async () => {
  const { double, ids, wiring } = await discordForTest();
  await double.behave({ guildAfterMs: 600 });
  const one = listenTo(wiring, ids.token);
  await one.is("up");
  await double.post("owner", ids.general, { text: "nobody is told of it" });
  await one.heard("nobody is told of it");
  await double.post("owner", ids.general, { text: "live" });
  await one.heard("nobody is told of it", "live");
});

test("what was said in threads that were archived since is fetched, and nothing from before we first came", async () => {
  const { double, ids, wiring } = await discordForTest();
  const said = async (text: string) => {
    const thread = await double.thread(ids.general);
    await double.post("owner", thread, { text });
    await double.archive(thread);
    return thread;
  };
  await double.post("owner", ids.general, { text: "before" });
  await said("long before");
  const store = memoryStore(() => true, [ids.general]);
  const first = listenTo(wiring, ids.token, { store });
  await first.is("up");
  await first.stop();
  await double.forget();
  const threads: Record<string, string> = {};
  for (const text of ["one", "two", "three", "four", "five"]) threads[text] = await said(text);
  const second = listenTo(wiring, ids.token, { store });
  await second.is("up");
  expect(store.handedOn).toHaveLength(5);
  expect(Object.fromEntries(store.handedOn.map(({ text, thread }) => [text, thread]))).toEqual(threads);
});

test("whoever is let out of the server, or of a channel, says so at once, and hears again when let in", async () => {
  const { double, ids, one } = await listened();
  await double.expel();
  await one.is("degraded");
  expect(one.healths.at(-1)?.detail).toContain(`Channel ${ids.general} cannot be read.`);
  await double.expel(false);
  await one.is("up");
  await double.post("owner", ids.general, { text: "back" });
  await one.heard("back");
  await double.deny(ids.general, String(1n << 10n));
  await one.is("degraded");
});

test("a wired channel that is deleted is missed at once", async () => {
  const { double, ids, one } = await listened();
  await double.dissolve(ids.general);
  await one.is("degraded");
  expect(one.healths.at(-1)?.detail).toContain("Unknown Channel");
});

test("the bot's roles are those that it has now", async () => {
  const { double, ids, one } = await listened();
  await double.promote(["77"]);
  await double.post("owner", ids.general, { text: `<@&77> yes` });
  await double.post("owner", ids.general, { text: `<@&${ids.role}> no` });
  await one.heard("yes", `<@&${ids.role}> no`);
  expect(one.store.handedOn.map((row) => row.isToUs)).toEqual([true, false]);
});

test("a press whose token is over is no refusal of the bot's own", async () => {
  const { double, ids, one } = await listened();
  const asked = await one.connector.send(
    { kind: "text", key: "1", chat: ids.general, text: "Which?", choices: [{ id: "a", label: "A", style: "ok" }] },
    AbortSignal.timeout(1_000),
  );
  await double.fault({ kind: "status", status: 401, code: 50027, times: 1, only: "/interactions/" });
  await double.press("owner", ids.general, asked.kind === "sent" ? (asked.ids[0] ?? "") : "", "a");
  await expect.poll(() => one.logs, soon).toEqual([expect.stringContaining("discord-acknowledge")]);
  await double.post("owner", ids.general, { text: "after" });
  await one.heard("Which?", "", "after");
  expect(one.healths.at(-1)?.state).toBe("up");
});

test("what is said where it is no business of ours holds nothing up, though Discord cannot tell where that is", async () => {
  const { double, ids, one } = await listened();
  const { world, gateway } = double.raw;
  const thread = await double.thread(ids.general);
  const [unwired, below] = [world.channelOf(ids.unwired), world.channelOf(thread)];
  const asked = async () => (await double.asked()).filter(({ path }) => path.endsWith("/threads/active")).length;
  const before = await asked();
  gateway.emit("GUILD_CREATE", { id: ids.guild, channels: [unwired], threads: [below] });
  // What was missed is fetched once more, and over before anything is said.
  await expect.poll(asked, soon).toBeGreaterThan(before);
  await double.post("owner", ids.general, { text: "before" });
  await one.heard("before");
  await double.fault({ kind: "status", status: 503, times: 1_000, only: `GET /api/v10/channels/${ids.unwired}` });
  await double.post("stranger", ids.unwired, { text: "noise" });
  await double.post("owner", thread, { text: "below" });
  await double.post("owner", ids.general, { text: "after" });
  await one.heard("before", "below", "after");
  expect(one.store.handedOn.map((row) => [row.chat, row.thread])).toEqual([
    [ids.general, undefined],
    [ids.general, thread],
    [ids.general, undefined],
  ]);
});
