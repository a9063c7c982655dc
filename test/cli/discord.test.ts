import { readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import { expect, test } from "vitest";

import { pause, until } from "../../src/lib/wait.ts";
import { agentMos, connectedFleet, isState, letters, soon } from "../discord/fleet-rig.ts";
import { serve, whileDaemonsDie } from "../kills.ts";
import { makeRig, rosterOf } from "../rig.ts";

const typed = "Typed into the terminal of mos, which can say no more.";

test("connected by a person; the owner is marked as heard and answered; a stranger gets nothing, and the owner hears of him", async () => {
  const { ids, rig, say, shown, ours, double } = await connectedFleet();
  await say("my secret", "stranger");
  const id = await say("hello mos");
  await expect
    .poll(async () => (await shown()).find((one) => one.id === id)?.reactions.map((one) => one.emoji.name), soon)
    .toEqual(["👀", "✅"]);
  await expect.poll(() => ours(), soon).toEqual([expect.stringContaining(`(id ${ids.stranger})`), typed]);
  const answer = (await shown()).find((one) => one.content === typed);
  expect(answer?.message_reference?.message_id).toBe(id);
  expect((await double.typings()).length).toBeGreaterThan(0);
  expect(await letters(rig)).toEqual(["hello mos"]);
  await say("/ps");
  await expect.poll(async () => (await ours()).at(-1), soon).toMatch(/^```\nAGENT[\s\S]*mos/);
  const databases = readdirSync(rig.home.fleet).filter((file) => file.includes(".db"));
  for (const file of databases) expect(readFileSync(join(rig.home.fleet, file), "latin1")).not.toContain("my secret");
});

test("the token is in one file of its owner's, and nowhere else: no command line, no environment, no log, no answer", async () => {
  const { ids, rig, say, ours } = await connectedFleet();
  await say("hello");
  await expect.poll(() => ours(), soon).toEqual([typed]);
  const file = join(rig.home.secrets, "connectors", "discord");
  expect([statSync(file).mode & 0o777, readFileSync(file, "utf8")]).toEqual([0o600, `${ids.token}\n`]);
  const [, , secret = ids.token] = ids.token.split(".");
  for (const pid of readdirSync("/proc").filter((entry) => /^\d+$/.test(entry)))
    for (const what of ["cmdline", "environ"])
      expect(readOr(`/proc/${pid}/${what}`), `${what} of ${pid}`).not.toContain(secret);
  const said = await Promise.all(
    [
      ["logs"],
      ["logs", "--json"],
      ["ps", "--json"],
      ["connect", "list", "--json"],
      ["connect", "test", "discord"],
      ["inbox", "--json"],
      ["tail", "mos"],
    ].map((words) => rig.fleet(...words)),
  );
  for (const { out, err } of said) expect(`${out}${err}`).not.toContain(secret);
  for (const path of filesBelow(rig.home.fleet)) if (path !== file) expect(readOr(path), path).not.toContain(secret);
});

test("kill -9 of the daemon at random while people write: each line once, in order, and one answer to each", async () => {
  const { rig, say, shown, ids } = await connectedFleet();
  const said = Array.from({ length: 120 }, (_, at) => `line ${at}`);
  const kills = await whileDaemonsDie(rig, { seed: 11, leastMs: 400, mostMs: 1_300 }, async (roll) => {
    for (const text of said) {
      await say(text);
      await pause(roll(60)); // people's pace
    }
  });
  await isState(rig, "up");
  const answers = async () =>
    (await shown())
      .filter((one) => one.author.id === ids.bot && one.content === typed)
      .map((one) => one.message_reference?.message_id);
  await expect.poll(async () => (await answers()).length, { timeout: 60_000 }).toBeGreaterThanOrEqual(said.length);
  expect(kills).toBeGreaterThan(3);
  expect(await letters(rig)).toEqual(said);
  const asked = (await shown()).filter((one) => one.author.id === ids.owner).map((one) => one.id);
  const all = await answers();
  expect([all.length, new Set(all)]).toEqual([asked.length, new Set(asked)]);
}, 180_000);

test("Discord away; the daemon away while 130 lines are written: nothing is lost or out of order", async () => {
  const { rig, say, double, ours } = await connectedFleet();
  await say("before");
  await expect.poll(() => letters(rig), soon).toEqual(["before"]);
  await double.down();
  await isState(rig, "connecting");
  await double.up();
  await say("after the outage");
  await expect.poll(() => letters(rig), { timeout: 60_000 }).toEqual(["before", "after the outage"]);
  const pid = rig.daemonPid() ?? 0;
  process.kill(pid, "SIGKILL");
  const many = Array.from({ length: 130 }, (_, at) => `while away ${at}`);
  for (const text of many) await say(text);
  await double.forget();
  serve(rig);
  await expect.poll(() => letters(rig), { timeout: 60_000 }).toEqual(["before", "after the outage", ...many]);
  await expect.poll(async () => (await ours()).length, { timeout: 60_000 }).toBe(many.length + 2);
}, 180_000);

test("away for 20 minutes: what was said then is put aside and told, what was said since is handed on, in order", async () => {
  const { rig, say, ours } = await connectedFleet();
  process.kill(rig.daemonPid() ?? 0, "SIGKILL");
  const agoMs = 20 * 60_000;
  const old = Array.from({ length: 120 }, (_, at) => `long ago ${at}`);
  const fresh = Array.from({ length: 10 }, (_, at) => `just now ${at}`);
  for (const text of old) await say(text, "owner", agoMs);
  await say("/restart mos", "owner", agoMs);
  for (const text of fresh) await say(text);
  serve(rig);
  await expect.poll(() => letters(rig), { timeout: 60_000 }).toEqual(fresh);
  await expect.poll(() => ours(), soon).toHaveLength(fresh.length + 2);
  const said = await ours();
  expect(said.filter((text) => text.startsWith("This was written while mosaic was away"))).toHaveLength(1);
  expect(said.filter((text) => text.startsWith("This came 20 min late and was not carried out"))).toHaveLength(1);
  expect((await rig.agent("mos")).restarts).toBe(0);
  await say("/catchup");
  await expect.poll(() => letters(rig), { timeout: 60_000 }).toEqual([...fresh, ...old]);
  await expect.poll(() => ours(), soon).toContainEqual("120 handed on.");
}, 180_000);

test("a token that is refused is said where a person looks, tried no more, and mended by another one", async () => {
  const { rig, say, double, ours } = await connectedFleet();
  await double.revoke();
  await isState(rig, "needs-auth");
  const listed = await rig.fleet("connect", "list");
  expect(listed.out).toMatch(/discord +discord +needs-auth[^]*^discord: Discord refuses the bot's token/m);
  expect(listed.err).toContain("Next: mosaic fleet connect test discord");
  expect(await rig.fleet("verify")).toMatchObject({
    code: 5,
    out: expect.stringMatching(/bad +discord is needs-auth: [^]*Next: mosaic fleet connect test discord/),
  });
  expect((await rig.fleet("connect", "test", "discord")).err).toContain("Next: mosaic fleet connect token discord");
  const before = (await double.counts()).identifies;
  const fresh = join(rig.root, "fresh");
  writeFileSync(fresh, "wrong.token.of-no-account-that-there-is");
  const refused = await rig.fleet("connect", "token", "discord", "--token-file", fresh);
  expect([refused.code === 0, refused.err]).toEqual([false, expect.not.stringContaining("of-no-account")]);
  expect(refused.err).toMatch(/Next: mend that [^]*mosaic fleet connect token discord/);
  expect((await double.counts()).identifies).toBe(before);
  writeFileSync(fresh, (await double.ids()).token);
  expect(await rig.fleet("connect", "token", "discord", "--token-file", fresh)).toMatchObject({ code: 0 });
  await isState(rig, "up");
  expect((await rig.fleet("verify")).out).toMatch(/^ok +discord is up$/m);
  await say("there again");
  await expect.poll(() => ours(), soon).toEqual([typed]);
});

test("a token file that somebody has filled by hand with more than a token is said so, and nothing is sent of it", async () => {
  const { rig, double } = await connectedFleet();
  const asked = (await double.asked()).length;
  writeFileSync(join(rig.home.secrets, "connectors", "discord"), "token: abc\nmore\n");
  await isState(rig, "degraded");
  expect((await rig.fleet("connect", "list")).out).toContain("is no token");
  expect(await rig.fleet("connect", "test", "discord")).toMatchObject({
    code: 4,
    err: expect.stringMatching(/is no token[\s\S]*Next: mosaic fleet connect token discord/),
  });
  expect((await double.asked()).length).toBe(asked);
});

test("what a person has mended at Discord itself is tried again when they ask whether it is right", async () => {
  const { rig, say, double, ours } = await connectedFleet();
  await double.behave({ contentAllowed: false });
  await double.forget();
  await double.drop();
  await isState(rig, "needs-auth");
  expect(await rig.fleet("connect", "test", "discord")).toMatchObject({
    code: 4,
    err: expect.stringContaining("Message Content Intent"),
  });
  await double.behave({ contentAllowed: true });
  expect(await rig.fleet("connect", "test", "discord")).toMatchObject({
    code: 0,
    out: expect.stringContaining("discord is connected again"),
  });
  await isState(rig, "up");
  await say("there again");
  await expect.poll(() => ours(), soon).toEqual([typed]);
});

test("pairing: nobody is heard until a code that was made here is sent and its sender let in here; out again at once", async () => {
  const { rig, say, double, ids, ours } = await connectedFleet({ owner: false });
  await say("anybody there?");
  const direct = await double.direct("owner");
  const pairing = rig.fleet("connect", "pair", "discord", "--yes", "--timeout", "40s");
  const code = await until(
    async () => {
      const { pairings } = JSON.parse((await rig.fleet("connect", "pair", "list", "--json")).out) as {
        pairings: { code: string }[];
      };
      return pairings[0]?.code;
    },
    { withinMs: 10_000 },
  );
  await double.post("owner", direct, { text: code ?? "" });
  expect(await pairing).toMatchObject({
    code: 0,
    out: `${code}\n`,
    err: expect.stringContaining(`(id ${ids.owner}) is let in on discord as owner.`),
  });
  await expect.poll(() => ours(direct), soon).toEqual(["You are let in as owner. /help says what you can do."]);
  await say("hello mos");
  await expect.poll(() => letters(rig), soon).toEqual(["hello mos"]);
  expect(rig.rosterText()).toContain(ids.owner);
  expect(await rig.fleet("connect", "pair", "revoke", "discord", ids.owner)).toMatchObject({ code: 0 });
  await expect
    .poll(async () => {
      await say("still there?");
      await pause(200); // nobody says that nothing was heard
      return (await letters(rig)).length;
    }, soon)
    .toBeGreaterThan(0);
  const count = (await letters(rig)).length;
  await say("now I am out");
  await rig.fleet("chat", "/help"); // whatever was heard before this is kept by now
  expect((await letters(rig)).length).toBe(count);
  expect(await rig.fleet("connect", "remove", "discord")).toMatchObject({ code: 0 });
  expect(rig.rosterText()).not.toContain("connectors");
});

test("one account has one listener on this machine, whichever fleet it is wired to", async () => {
  const { rig, double, ids, say, ours } = await connectedFleet();
  const other = makeRig();
  other.roster(
    `${rosterOf(agentMos())}connectors:\n  chat: { platform: discord, url: "${double.url}", guild: "${ids.guild}", channels: ["${ids.general}"], owners: ["${ids.owner}"] }\n`,
  );
  writeFileSync(join(other.root, "token"), ids.token);
  await other.fleet("start");
  expect((await other.fleet("connect", "token", "chat", "--token-file", join(other.root, "token"))).code).toBe(0);
  await isState(other, "degraded");
  expect((await other.fleet("connect", "list")).out).toContain("another process on this machine uses this account");
  await say("who hears me?");
  await expect.poll(() => ours(), soon).toEqual([typed]);
  expect([await letters(rig), await letters(other)]).toEqual([["who hears me?"], []]);
});

function readOr(path: string): string {
  try {
    return readFileSync(path, "latin1");
  } catch {
    return "";
  }
}

function filesBelow(folder: string): string[] {
  return readdirSync(folder, { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name));
}
