import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { createServer, request } from "node:http";
import type { AddressInfo } from "node:net";

import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest";

import type { Desk } from "../../src/harness/harness.ts";
import { answer, choose, permissions } from "../../src/harness/opencode/permissions.ts";
import { atServer } from "../../src/harness/opencode/server.ts";
import { readSession } from "../../src/harness/opencode/session.ts";
import { writeOpencodeHome } from "../model/opencode-home.ts";
import { startScriptedModel, type ScriptedModel } from "../model/server.ts";
import { makeRig, rosterOf } from "../rig.ts";
import { deskOf } from "./desk.ts";
import { opencodeBin, sign, signsOf } from "./opencode-rig.ts";

let model: ScriptedModel;
beforeAll(async () => {
  model = await startScriptedModel();
});
afterAll(() => model.close());

const dialog = "esc dismiss";
const question = (what: string, more = {}) => ({
  question: `Which ${what}?`,
  header: what,
  options: ["Red", "Blue, or so", 'It\'s "both"'].map((label) => ({ label, description: `all ${label}` })),
  ...more,
});
const [colour, tones] = [question("colour"), question("tones", { multiple: true })];
const asking = (...questions: object[]) => `[[tool question ${JSON.stringify({ questions })}]]`;

async function setUp() {
  const rig = makeRig({ path: opencodeBin });
  writeOpencodeHome(rig.root, model.url, {});
  rig.roster(rosterOf("{ name: mos, role: orchestrator, runtime: opencode, workdir: ~/work, permissions: read }"));
  expect((await rig.fleet("start")).code).toBe(0);
  const desk = deskOf(rig, "mos");
  const signs = signsOf(rig, model);
  const open = () => permissions(desk);
  /** The one question that is open, and is on the screen. */
  const listed = async () => {
    await signs.shows(dialog);
    await rig.settled("mos", (agent) => agent.state === "waiting-input");
    const [one, ...others] = await open();
    expect(others).toEqual([]);
    return { id: one?.id ?? "", one };
  };
  const asks = async (name: string, ...questions: object[]) => {
    await rig.fleet("send", "mos", `Q-${name} ${asking(...questions)}`);
    return listed();
  };
  const isIdle = () => rig.settled("mos", (agent) => agent.state === "idle");
  /** What the model was told: OpenCode's own words, as they came to it. */
  const heard = async (name: string): Promise<string> => {
    await isIdle();
    await signs.showsNot(dialog);
    return model
      .asks()
      .filter(({ ask }) => ask.lastUser.includes(`Q-${name}`))
      .flatMap(({ ask }) => ask.toolResults)
      .join("\n");
  };
  const reply = (...words: string[]) => rig.fleet("approvals", "answer", ...words);
  return { rig, desk, signs, open, listed, asks, isIdle, heard, reply };
}

/** A desk whose way to OpenCode is the real one, but what it posts waits until it is released. */
async function slowDesk(desk: Desk) {
  const session = readSession(desk.place.session);
  let release = () => {};
  let posting = () => {};
  const released = new Promise<void>((done) => (release = done));
  const posts = new Promise<void>((done) => (posting = done));
  const server = createServer((asked, answered) => {
    const { url: path = "", method, headers } = asked;
    const pass = () =>
      asked.pipe(
        request(`${session?.url}${path}`, { method, headers }, (said) => {
          answered.writeHead(said.statusCode ?? 500);
          said.pipe(answered);
        }),
      );
    if (method !== "POST") return void pass();
    posting();
    void released.then(pass);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  onTestFinished(() => void server.close());
  const file = `${desk.place.session}.slow`;
  const { port } = server.address() as AddressInfo;
  writeFileSync(file, JSON.stringify({ ...session, url: `http://127.0.0.1:${port}` }));
  return { desk: { ...desk, place: { ...desk.place, session: file } }, posts, release };
}

// Without the CLI in .cache/ there is nothing to test; the lane says so loudly, and with CI=true it fails.
describe.skipIf(opencodeBin === "")("what OpenCode asks back, for real", () => {
  test("answered from the command line with what there is to choose, or in words; or not at all", async () => {
    const { rig, desk, open, asks, heard, reply } = await setUp();
    expect(await open()).toEqual([]);
    const { id, one } = await asks("one", colour);
    expect(one).toMatchObject({ what: "Which colour?", questions: [{ text: "Which colour?", several: false }] });
    expect(one?.questions?.[0]?.options[1]).toEqual({ label: "Blue, or so", about: "all Blue, or so" });
    const age = Date.now() - (one?.at ?? 0);
    expect([age >= 0, age < 30_000]).toEqual([true, true]);
    const list = await rig.fleet("approvals");
    expect(list.out).toContain(`Which colour? (1 Red, 2 Blue, or so, 3 It's "both")`);
    expect(list.err).toBe(`Next: mosaic fleet approvals answer mos/${id} 1   (or in your own words; or deny)\n`);
    expect((await rig.fleet("send", "mos", "--expire", "1s", "held")).err).toContain("question");
    // What is no answer to it changes nothing.
    expect((await reply("mos", "4")).code).toBe(2);
    expect((await rig.fleet("approvals", "allow", "mos")).code).toBe(2);
    await expect(answer(desk, id, "allow")).rejects.toMatchObject({ code: "conflict" });
    expect((await open()).map((still) => still.id)).toEqual([id]);
    const answered = await reply("mos", "2");
    expect([answered.code, answered.err]).toEqual([0, "mos was answered: Which colour?\n"]);
    // It has been answered when the command ends.
    expect(await open()).toEqual([]);
    expect(await heard("one")).toContain('"Which colour?"="Blue, or so"');
    expect((await reply(`mos/${id}`, "1")).code).toBe(3);
    await expect(choose(desk, id, ["Red"])).rejects.toMatchObject({ code: "conflict" });

    const two = await asks("two", colour, tones);
    expect(two.one?.questions?.map(({ several }) => several)).toEqual([false, true]);
    expect((await reply("mos", "None, it's \\ grey", "3,1")).code).toBe(0);
    const told = await heard("two");
    expect(told).toContain(`"Which colour?"="None, it's \\ grey"`);
    expect(told).toContain(`"Which tones?"="It's "both", Red"`);

    // Not answered the turn is over, and the model hears why with the next message.
    await asks("deny", colour);
    expect((await rig.fleet("approvals", "deny", "mos")).code).toBe(0);
    expect(await open()).toEqual([]);
    expect(await heard("deny")).toBe("");
    await rig.insist("mos", "Q-after");
    const after = await sign("the next message", () => model.asks().find(({ ask }) => ask.lastUser === "Q-after"));
    expect(after.ask.turns.findLast(({ role }) => role === "tool")?.text).toContain("dismissed this question");

    // Several at once: one of them is heard.
    const many = await asks("many", colour);
    const labels = ["Red", "Blue, or so", "grey"];
    const taken = await Promise.allSettled(labels.map((label) => choose(desk, many.id, [label])));
    const [first, ...others] = labels.filter((_, at) => taken[at]?.status === "fulfilled");
    expect(others).toEqual([]);
    expect(await heard("many")).toContain(`"Which colour?"="${first}"`);
  });

  test("the terminal was first, a subagent asks, the agent is killed: a late answer changes nothing", async () => {
    const { rig, desk, signs, open, listed, asks, isIdle, heard, reply } = await setUp();
    const there = await asks("there", colour);
    signs.press("Enter");
    expect(await heard("there")).toContain('"Which colour?"="Red"');
    expect((await reply(`mos/${there.id}`, "2")).code).toBe(3);
    await expect(choose(desk, there.id, ["Blue, or so"])).rejects.toMatchObject({ code: "conflict" });

    // By less than it takes to look: OpenCode itself refuses whoever comes second.
    const close = await asks("close", colour);
    const slow = await slowDesk(desk);
    const late = choose(slow.desk, close.id, ["Blue, or so"]).catch(String);
    await slow.posts;
    signs.press("Enter");
    expect(await heard("close")).toContain('"Which colour?"="Red"');
    slow.release();
    expect(await late).toContain("does not wait for that permission any more");

    // Nor does it answer the next question.
    const next = await asks("next", colour);
    await expect(choose(desk, there.id, ["Blue, or so"])).rejects.toMatchObject({ code: "conflict" });
    expect((await open()).map(({ id }) => id)).toEqual([next.id]);
    signs.press("Escape");
    await signs.showsNot(dialog);
    await isIdle();
    expect([await open(), (await rig.fleet("approvals")).err]).toEqual([[], "No agent waits for a permission.\n"]);

    const task = { description: "sub", prompt: `Q-sub ${asking(colour)}`, subagent_type: "general" };
    await rig.fleet("send", "mos", `Q-main [[tool task ${JSON.stringify(task)}]]`);
    const sub = await listed();
    expect(sub.one?.what).toBe("Which colour?");
    expect((await reply("mos", "3")).code).toBe(0);
    expect(await heard("sub")).toContain(`"Which colour?"="It's "both""`);

    const killed = await asks("killed", colour);
    const before = await rig.agent("mos");
    process.kill(before.pid ?? 0, "SIGKILL");
    await signs.gone(before.pid ?? 0);
    await expect(choose(desk, killed.id, ["Red"])).rejects.toMatchObject({ code: "unreachable" });
    await rig.settled("mos", (agent) => agent.restarts > before.restarts && agent.state === "idle");
    expect([await open(), (await reply(`mos/${killed.id}`, "1")).code]).toEqual([[], 3]);
  });

  test("what an aborted turn asked is no question of the turns after it, though OpenCode still lists it", async () => {
    const { rig, desk, open, asks, isIdle } = await setUp();
    // Another client ends the turn, and nobody refuses what it asks.
    const abort = () => atServer(desk, 3_000, (line, session) => line.post(`/session/${session}/abort`));
    const asked = await asks("aborted", colour);
    await abort();
    await isIdle();
    await rig.fleet("send", "mos", "P-aborted [[bash touch never]]");
    await expect.poll(async () => (await open()).map(({ what }) => what), { timeout: 20_000 }).toEqual(["touch never"]);
    const [permission] = await open();
    await abort();
    await isIdle();
    await rig.fleet("send", "mos", "Q-next [[hang]]");
    await sign("the next turn", () => model.asks().find(({ ask }) => ask.lastUser.includes("Q-next")));
    const listed = atServer(desk, 3_000, async (line) =>
      Promise.all(["/question", "/permission"].map(async (path) => (await line.get<unknown[]>(path)).length)),
    );
    expect([await listed, await open(), (await rig.agent("mos")).state]).toEqual([[1, 1], [], "working"]);
    await expect(choose(desk, asked.id, ["Red"])).rejects.toMatchObject({ code: "conflict" });
    await expect(answer(desk, permission?.id ?? "", "allow")).rejects.toMatchObject({ code: "conflict" });
    await rig.fleet("interrupt", "mos");
    await isIdle();
  });
});
