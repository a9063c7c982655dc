import { spawnSync } from "node:child_process";

import { afterAll, beforeAll, describe, expect, test } from "vitest";

import { codex } from "../../src/harness/codex/codex.ts";
import { startScriptedModel, type ScriptedModel } from "../model/server.ts";
import { agentOf, codexBin, isIdle, screenShows, setUp } from "./codex-rig.ts";
import { deskOf, terminal } from "./desk.ts";

let model: ScriptedModel;
beforeAll(async () => {
  model = await startScriptedModel();
});
afterAll(() => model.close());

const dialog = "enter to submit answer";
const question = (id: string, more = {}) => ({
  id,
  header: id,
  question: `Which ${id}?`,
  options: ["Red", "Blue"].map((label) => ({ label, description: `all ${label}` })),
  ...more,
});
const [colour, tone] = [question("colour"), question("tone")];
/** Else Codex offers its model the tool in plan mode only. */
const asksAnywhere = ', args: ["-c", "features.default_mode_request_user_input=true"]';

async function start() {
  const rig = await setUp(model.url, agentOf("mos", asksAnywhere));
  const desk = deskOf(rig, "mos");
  await screenShows(rig, "scripted-large");
  const open = async () => (await codex.permissions?.(desk)) ?? [];
  const screen = () => terminal.capture({ name: "mos", socket: rig.place("mos").terminal });
  const showsNot = () => expect.poll(screen, { timeout: 20_000 }).not.toContain(dialog);
  const asks = async (name: string, ...questions: object[]) => {
    await rig.fleet("send", "mos", `Q-${name} [[tool request_user_input ${JSON.stringify({ questions })}]]`);
    expect(await screenShows(rig, dialog)).toBe(true);
    const waiting = await rig.settled("mos", (agent) => agent.state === "waiting-input");
    expect(waiting.why).toBe("waitingOnUserInput");
    const [one, ...others] = await open();
    expect(others).toEqual([]);
    return { id: one?.id ?? "", one };
  };
  /** What the model was told: Codex's own words, as they came to it. */
  const heard = async (name: string): Promise<string> => {
    await isIdle(rig);
    await showsNot();
    return (
      model
        .asks()
        .findLast(({ ask }) => ask.lastUser.includes(`Q-${name} `))
        ?.ask.toolResults.join() ?? ""
    );
  };
  const reply = async (...words: string[]) => (await rig.fleet("approvals", "answer", ...words)).code;
  const press = (key: string) => spawnSync("tmux", ["-S", rig.place("mos").terminal, "send-keys", "-t", "=mos:", key]);
  return { rig, desk, open, asks, heard, reply, press };
}
const late = { code: "conflict" };

// Without the CLI in .cache/ there is nothing to test; the lane says so loudly, and with CI=true it fails.
describe.skipIf(codexBin === "")("what Codex asks back, for real", () => {
  test("answered from the command line with what there is to choose, or in words; or not at all", async () => {
    const { rig, desk, open, asks, heard, reply } = await start();
    const { id, one } = await asks("one", colour);
    expect(one).toMatchObject({
      what: "Which colour?",
      questions: [{ text: "Which colour?", several: false, options: [{ label: "Red", about: "all Red" }, {}] }],
    });
    const age = Date.now() - (one?.at ?? 0);
    expect([age >= 0, age < 30_000]).toEqual([true, true]);
    const list = await rig.fleet("approvals");
    expect(list.out).toContain("Which colour? (1 Red, 2 Blue)");
    expect(list.err).toBe(`Next: mosaic fleet approvals answer mos/${id} 1   (or in your own words; or deny)\n`);
    // What is no answer to it changes nothing; nor has it been one to have looked.
    expect([await reply("mos", "3"), (await rig.fleet("approvals", "allow", "mos")).code]).toEqual([2, 2]);
    await expect(codex.answer?.(desk, id, "allow")).rejects.toMatchObject(late);
    expect((await open()).map((still) => still.id)).toEqual([id]);
    expect(await reply("mos", "2")).toBe(0);
    expect(await open()).toEqual([]);
    expect(await heard("one")).toBe('{"answers":{"colour":{"answers":["Blue"]}}}');
    expect(await reply(`mos/${id}`, "1")).toBe(3);
    await expect(codex.choose?.(desk, id, ["Red"])).rejects.toMatchObject(late);

    await asks("two", colour, tone);
    expect(await reply("mos", "none, it's grey", "1")).toBe(0);
    expect(JSON.parse(await heard("two"))).toEqual({
      answers: { colour: { answers: ["none, it's grey"] }, tone: { answers: ["Red"] } },
    });

    await asks("deny", colour);
    expect((await rig.fleet("approvals", "deny", "mos")).code).toBe(0);
    expect(await heard("deny")).toBe('{"answers":{}}');

    // Several at once: one of them is heard, and the others are told that they were late.
    const many = await asks("many", colour);
    const labels = ["Red", "Blue", "grey"];
    const choose = async (label: string) => codex.choose?.(desk, many.id, [label]);
    const taken = await Promise.allSettled(labels.map((label) => choose(label)));
    const first = labels.filter((_, at) => taken[at]?.status === "fulfilled");
    expect(await heard("many")).toBe(`{"answers":{"colour":{"answers":${JSON.stringify(first)}}}}`);
  });

  test("the terminal was first, a secret, the agent is killed: what cannot be answered is not, and says so", async () => {
    const { rig, desk, open, asks, heard, reply, press } = await start();
    const there = await asks("there", colour);
    press("Enter");
    expect(await heard("there")).toBe('{"answers":{"colour":{"answers":["Red"]}}}');
    expect(await reply(`mos/${there.id}`, "2")).toBe(3);
    await expect(codex.choose?.(desk, there.id, ["Blue"])).rejects.toMatchObject(late);

    // Nor does a late answer reach the next question; a person's Escape ends the turn.
    const next = await asks("next", colour);
    await expect(codex.choose?.(desk, there.id, ["Blue"])).rejects.toMatchObject(late);
    expect((await open()).map(({ id }) => id)).toEqual([next.id]);
    press("Escape");
    expect(await heard("next")).toBe("");
    expect([await open(), (await rig.fleet("approvals")).err]).toEqual([[], "No agent waits for a permission.\n"]);

    const secret = await asks("secret", { ...colour, isSecret: true });
    expect(secret.one?.id).toBe(null);
    const list = await rig.fleet("approvals");
    expect(list.out).toMatch(/mos \(in its terminal\) +\S+ +Which colour\?/);
    expect(list.err).toBe("Next: mosaic fleet attach mos\n");
    expect(await reply("mos", "1")).toBe(4);
    press("Enter");
    expect(await heard("secret")).toContain("Red");

    const killed = await asks("killed", colour);
    const before = await rig.agent("mos");
    process.kill(before.pid ?? 0, "SIGKILL");
    await rig.settled("mos", (agent) => agent.restarts > before.restarts && agent.state === "idle");
    expect([await open(), await reply(`mos/${killed.id}`, "1")]).toEqual([[], 3]);
  });

  test("after an answer from elsewhere its terminal answers the next question", async () => {
    const { asks, heard, reply, press } = await start();
    await asks("one", colour);
    expect(await reply("mos", "2")).toBe(0);
    await heard("one");
    await asks("two", colour);
    press("Enter");
    expect(await heard("two")).toBe('{"answers":{"colour":{"answers":["Red"]}}}');
  });
});
