import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import { describe, expect, test } from "vitest";

import { pause } from "../../src/lib/wait.ts";
import { agentMos, isState, letters, soon } from "../discord/fleet-rig.ts";
import { restRig, type Server } from "../discord/rest-rig.ts";
import type { Message } from "../discord/world.ts";
import { serve, whileDaemonsDie } from "../kills.ts";
import { makeRig, rosterOf } from "../rig.ts";

const typed = "Typed into the terminal of mos, which can say no more.";
const [api, people] = [process.env["MOSAIC_TEST_DISCORD_API"], process.env["MOSAIC_TEST_DISCORD_PEOPLE"]];
const patient = { timeout: 90_000, interval: 200 };

/** A fleet that a person connected to somebody else's server, with a channel of its own there. */
async function setUp(way: "through faults" | "straight") {
  const server = { ...(JSON.parse(readFileSync(people ?? "", "utf8")) as Server), api: api ?? "" };
  const far = await restRig(server);
  const thread = server.lacks?.threads === undefined ? await far.newThread() : undefined;
  const rig = makeRig();
  rig.roster(rosterOf(agentMos()));
  expect((await rig.fleet("start")).code).toBe(0);
  const token = join(rig.root, "token");
  writeFileSync(token, server.token);
  const url = way === "straight" ? server.api : (far.wiring.url ?? "");
  const where = ["--url", url, "--guild", server.guild, "--channel", far.chat];
  const added = await rig.fleet("connect", "add", "discord", ...where, "--owner", far.owner, "--token-file", token);
  expect([added.code, added.out]).toEqual([0, expect.stringContaining("discord knows the token")]);
  await isState(rig, "up");
  /** Everything in the channel, oldest first. */
  async function all(): Promise<Message[]> {
    const found: Message[] = [];
    for (let after = "0"; ;) {
      const page = await far.as<Message[]>("owner", "GET", `/channels/${far.chat}/messages?after=${after}&limit=100`);
      found.push(...page.toSorted((one, other) => (BigInt(one.id) < BigInt(other.id) ? -1 : 1)));
      after = found.at(-1)?.id ?? after;
      if (page.length < 100) return found;
    }
  }
  /** What each of our answers answers. */
  const answered = async () =>
    (await all())
      .filter((one) => one.author.id === server.bot && one.content === typed)
      .map((one) => one.message_reference?.message_id);
  const onceEach = async (asked: readonly string[]) => {
    await expect.poll(async () => (await answered()).length, patient).toBeGreaterThanOrEqual(asked.length);
    const answers = await answered();
    expect([answers.length, new Set(answers)]).toEqual([asked.length, new Set(asked)]);
  };
  return { far, rig, server, all, onceEach, thread };
}

describe.skipIf(api === undefined || people === undefined)("on an independent server of Discord's API", () => {
  test("a person is marked as heard and answered once, commands and threads too; a stranger meets silence", async () => {
    const { far, rig, server, all, onceEach, thread } = await setUp("straight");
    await far.say("stranger", "my secret");
    const id = await far.say("owner", "hello mos");
    const marksOf = async (which: string) => (await far.shown()).find((one) => one.id === which)?.marks;
    await expect.poll(() => marksOf(id), soon).toEqual(["heard", "done"]);
    const words = async (where?: { thread: string }) =>
      (await far.shown(where)).filter((one) => one.isOurs).map((one) => one.text);
    await expect.poll(() => words(), soon).toEqual([expect.stringContaining(`(id ${server.stranger.id})`), typed]);
    for (const command of ["/ps", "/status mos"]) {
      await far.say("owner", command);
      await expect.poll(async () => (await words()).at(-1), soon).toMatch(/mos/);
    }
    const edited = await far.say("owner", "firts");
    await expect.poll(() => marksOf(edited), soon).toEqual(["heard", "done"]);
    await far.edit(edited, "first");
    await onceEach([id, edited]);
    const gone = await far.say("owner", "take this back");
    await far.remove(gone);
    const correction = expect.stringContaining("first") as string;
    await expect.poll(() => letters(rig), soon).toEqual(["hello mos", "firts", correction, "take this back"]);
    if (thread !== undefined) {
      await far.say("owner", "in a thread", { thread });
      await expect.poll(() => words({ thread }), soon).toEqual([typed]);
    }
    expect((await all()).find((one) => one.author.id === server.stranger.id)?.reactions ?? []).toEqual([]);
    expect((await letters(rig)).join(" ")).not.toContain("my secret");
  });

  test("files come in and go out", async () => {
    const { far, rig, server } = await setUp("straight");
    const form = new FormData();
    form.set("payload_json", JSON.stringify({ content: "look at this" }));
    form.set("files[0]", new Blob(["from the person"]), "notes.txt");
    const posted = await fetch(`${server.api}/v10/channels/${far.chat}/messages`, {
      method: "POST",
      headers: { authorization: server.owner.token },
      body: form,
    });
    expect(posted.status).toBe(200);
    await expect.poll(async () => (await letters(rig)).length, soon).toBe(1);
    const [letter = ""] = await letters(rig);
    const [path = letter] = /\/\S+notes\S*\.txt/.exec(letter) ?? [];
    expect(readFileSync(path, "utf8")).toBe("from the person");

    writeFileSync(join(rig.root, "work", "answer.txt"), "from the agent");
    const agent = readFileSync(join(rig.home.secrets, "agents", "mos"), "utf8").trim();
    const env = { MOSAIC_AGENT: "mos", MOSAIC_AGENT_TOKEN: agent };
    expect((await rig.mosaic(["fleet", "report", "--file", "answer.txt", "here it is"], { env })).code).toBe(0);
    const files = async () => (await far.shown()).filter((one) => one.isOurs).flatMap((one) => one.files);
    await expect.poll(files, soon).toEqual([{ name: "answer.txt", content: "from the agent" }]);
  });

  test("kill -9 of the daemon in the middle of the talk; a hundred lines while it is down: each once, in order", async () => {
    const { far, rig, onceEach } = await setUp("through faults");
    const said: string[] = [];
    const asked: string[] = [];
    const say = async (text: string) => {
      said.push(text);
      asked.push(await far.say("owner", text));
    };
    await whileDaemonsDie(rig, { seed: 7, leastMs: 600, mostMs: 2_000 }, async (roll) => {
      for (let at = 0; at < 60; at++) {
        await say(`line ${at}`);
        await pause(roll(60)); // people's pace
      }
    });
    await isState(rig, "up");
    await expect.poll(() => letters(rig), patient).toEqual(said);
    process.kill(rig.daemonPid() ?? 0, "SIGKILL");
    for (let at = 0; at < 100; at++) await say(`while away ${at}`);
    serve(rig);
    await expect.poll(() => letters(rig), patient).toEqual(said);
    await onceEach(asked);
  }, 300_000);

  test("the server away, and silent: what was said meanwhile comes, once and in order", async () => {
    const { far, rig, onceEach } = await setUp("through faults");
    const said: string[] = [];
    const asked: string[] = [];
    for (const what of ["outage", "half-open", "cut"] as const) {
      await far.trouble(what);
      for (let at = 0; at < 20; at++) {
        said.push(`${what} ${at}`);
        asked.push(await far.say("owner", `${what} ${at}`));
      }
      if (what === "half-open")
        await expect.poll(async () => (await rig.fleet("connect", "list")).out, patient).not.toMatch(/ up /);
      if (what !== "cut") await far.mend(what);
      await expect.poll(() => letters(rig), patient).toEqual(said);
      // Before the next trouble: what is on its way then comes together with our second try once that is over, and of two
      // with one nonce within milliseconds the server known to us takes both.
      await onceEach(asked);
    }
  }, 300_000);
});
