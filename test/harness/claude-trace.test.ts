import { existsSync, readFileSync } from "node:fs";

import { afterAll, beforeAll, describe, expect, test } from "vitest";

import { claude } from "../../src/harness/claude/claude.ts";
import { readConversation, transcriptOf } from "../../src/harness/claude/place.ts";
import { rowsFrom, textOf } from "../../src/harness/claude/transcript.ts";
import { uuidOf } from "../../src/harness/claude/uuid.ts";
import type { SubmitMode, Trace } from "../../src/harness/harness.ts";
import { echoOf } from "../model/script.ts";
import { startScriptedModel, type ScriptedModel } from "../model/server.ts";
import { claudeBin, claudeFleet, sign, signsOf } from "./claude-rig.ts";
import { deskOf } from "./desk.ts";
import { freshTrace, killedSender } from "./senders.ts";

let model: ScriptedModel;
beforeAll(async () => {
  model = await startScriptedModel();
});
afterAll(() => model.close());

async function setUp() {
  const rig = await claudeFleet(model, "full");
  const desk = deskOf(rig, "mos");
  const say = async (id: string, text: string, mode: SubmitMode = "next") =>
    (await claude.submit(desk, { id, text, mode })).state;
  const trace = async (id: string): Promise<Trace | undefined> => (await claude.trace?.(desk, [id]))?.get(id);
  const ended = (id: string) => sign(`the end of ${id}`, async () => (await trace(id))?.end);
  const isIdle = () => rig.settled("mos", (agent) => agent.state === "idle");
  const rows = () => {
    const conversation = readConversation(desk.place.session);
    const file = conversation && transcriptOf(conversation, desk.agent.workdir);
    return file === undefined ? [] : rowsFrom(file, 0);
  };
  /** How often each was taken in, and how often it is in the conversation: Claude Code writes a repeated id down once. */
  const timesTaken = (text: string) =>
    rows().filter((row) => row.operation === "enqueue" && row.content === text).length;
  const arrivals = () =>
    rows().flatMap(({ type, uuid, origin, attachment }) => {
      const id = type === "user" && origin?.kind === "peer" ? uuid : attachment?.source_uuid;
      return id === undefined ? [] : [id];
    });
  return { rig, desk, say, trace, ended, isIdle, rows, timesTaken, arrivals, signs: signsOf(rig, "mos", model) };
}

/** How often one conversation that the model was shown has held these words. */
const timesShown = (text: string): number =>
  Math.max(
    ...model.asks().map(({ ask }) => ask.turns.filter((turn) => turn.role === "user" && turn.text === text).length),
  );

const answered = (text: string) => ({ kind: "answered", text, at: expect.any(Number) as number });

describe.skipIf(claudeBin === "")("what became of a message, by Claude Code's own transcript", () => {
  test("answered, steered, interrupted, failed, killed, after a compaction, in a new conversation, with the agent stopped", async () => {
    const { rig, desk, say, trace, ended, isIdle, signs } = await setUp();
    expect(await trace("plain")).toBeUndefined();
    const before = Date.now();
    expect(await say("plain", "hello")).toBe("delivered");
    expect(await ended("plain")).toEqual(answered(echoOf("hello")));
    expect((await trace("plain"))?.at).toBeGreaterThanOrEqual(before - 1_000);

    await isIdle();
    await say("works", "one [[bash sleep 2]] [[say first]]");
    await sign("the tool", async () => ((await trace("works"))?.acted ? true : undefined));
    expect((await trace("works"))?.end).toBeUndefined();
    expect(await say("later", "afterwards")).toBe("queued");
    expect(await say("sooner", "meanwhile", "steer")).toBe("queued");
    expect(await trace("later")).toBeUndefined(); // in its memory only
    expect(await ended("works")).toEqual(answered("first"));
    expect(await ended("sooner")).toEqual(answered("first"));
    expect(await ended("later")).toEqual(answered(echoOf("afterwards")));

    await isIdle();
    await say("stuck", "stuck [[hang]]");
    await signs.asked("stuck", "open");
    expect(await trace("stuck")).toEqual({ at: expect.any(Number) as number, acted: false });
    await say("waits", "waited");
    await rig.fleet("interrupt", "mos");
    expect(await ended("stuck")).toEqual({ kind: "broken", why: "interrupted" });
    expect(await ended("waits")).toEqual(answered(echoOf("waited")));

    await isIdle();
    await say("fails", "err [[error 400 9]]");
    expect(await ended("fails")).toEqual({ kind: "broken", why: expect.stringContaining("400") as string });

    await isIdle();
    await say("cut", "cut [[bash true]] [[hang]]");
    await sign("the second request", () =>
      model.asks().filter((one) => one.ask.lastUser.startsWith("cut")).length === 2 ? true : undefined,
    );
    expect(await say("lost", "in its memory")).toBe("queued");
    const { pid } = await rig.agent("mos");
    process.kill(pid ?? 0, "SIGKILL");
    const why = "Claude Code ended before it had answered";
    expect(await ended("cut")).toEqual({ kind: "broken", cut: true, why });
    await rig.settled("mos", (agent) => agent.restarts === 1 && agent.state === "idle");
    expect([await trace("lost"), (await trace("cut"))?.end]).toEqual([undefined, { kind: "broken", cut: true, why }]);
    expect(await say("lost", "in its memory")).toBe("delivered");
    expect(await ended("lost")).toEqual(answered(echoOf("in its memory")));

    await isIdle();
    const command = async (name: string, shows: string) => {
      signs.press("-l", name);
      await signs.shows(name);
      signs.press("Enter");
      await sign(shows, () => (signs.transcript().includes(shows) ? true : undefined));
      await isIdle();
    };
    await command("/compact", "compact_boundary");
    await say("compacted", "after the compaction");
    expect(await ended("compacted")).toEqual(answered(echoOf("after the compaction")));
    await isIdle();
    await command("/clear", "<command-name>/clear");
    expect(await say("cleared", "in a new conversation")).toBe("delivered");
    expect(await ended("cleared")).toEqual(answered(echoOf("in a new conversation")));

    await rig.fleet("stop");
    const ids = ["plain", "works", "sooner", "later", "stuck", "waits", "fails", "cut", "lost", "compacted", "cleared"];
    const here = Object.fromEntries((await claude.trace?.(desk, ids)) ?? []);
    expect(Object.keys(here)).toEqual(expect.arrayContaining(ids));
    expect(await freshTrace("claude", desk, [...ids, "never"])).toEqual(here);
  }, 120_000);

  test("60 messages from one process, and the same words twice: each arrives once, in order", async () => {
    const { say, ended, timesTaken, arrivals } = await setUp();
    const ids = Array.from({ length: 60 }, (_, at) => `m${at}`);
    for (const id of ids) expect(["delivered", "queued"]).toContain(await say(id, `message ${id}`));
    for (const id of ["same", "again"]) await say(id, "the very same words");
    await ended("again");
    expect(arrivals()).toEqual([...ids, "same", "again"].map(uuidOf));
    for (const id of ids) expect(timesTaken(`message ${id}`)).toBe(1);
    expect(timesTaken("the very same words")).toBe(2);
  }, 180_000);

  test("kill -9 of the sender at 30 random moments: the next one finds out, and each message is there once", async () => {
    const { desk, say, ended, timesTaken, arrivals } = await setUp();
    const ids = Array.from({ length: 30 }, (_, at) => `k${at}`);
    let late = 0;
    for (const id of ids) {
      const message = { id, text: `kill ${id}`, mode: "next" } as const;
      if (await killedSender("claude", desk, message, Math.random() * 250)) late += 1;
      expect(["delivered", "queued"]).toContain(await say(id, message.text));
    }
    for (const id of ids) expect((await ended(id)).kind).toBe("answered");
    expect(arrivals()).toEqual(ids.map(uuidOf));
    expect(ids.map((id) => timesTaken(`kill ${id}`))).toEqual(ids.map(() => 1));
    expect(ids.map((id) => timesShown(`kill ${id}`))).toEqual(ids.map(() => 1));
    console.log(`${30 - late} of 30 senders were killed before they had their receipt`);
    expect(late).toBeLessThan(30);
  }, 180_000);

  test("kill -9 of the sender to a busy one: what it holds in memory is not put there again", async () => {
    const { desk, say, trace, ended, timesTaken, arrivals } = await setUp();
    await say("busy", "one [[bash sleep 12]] [[say first]]");
    await sign("the tool", async () => ((await trace("busy"))?.acted ? true : undefined));
    const ids = Array.from({ length: 10 }, (_, at) => `b${at}`);
    for (const [at, id] of ids.entries()) {
      const message = { id, text: `busy ${id}`, mode: at % 2 === 0 ? "steer" : "next" } as const;
      await killedSender("claude", desk, message, Math.random() * 150);
      expect(await say(id, message.text, message.mode)).toBe("queued");
    }
    for (const id of ids) expect((await ended(id)).kind).toBe("answered");
    expect(arrivals().toSorted()).toEqual(["busy", ...ids].map(uuidOf).toSorted());
    expect(ids.map((id) => timesTaken(`busy ${id}`))).toEqual(ids.map(() => 1));
    // What is read within a turn comes to the model as a note of Claude Code's own, which the scripted one passes over.
    const next = ids.filter((_, at) => at % 2 === 1);
    expect(next.map((id) => timesShown(`busy ${id}`))).toEqual(next.map(() => 1));
  }, 120_000);

  test("kill -9 of Claude Code while it takes a message: afterwards it is there once, whenever that was", async () => {
    const { rig, desk, say, ended, isIdle, rows } = await setUp();
    const { journal } = desk.place;
    const wasPut = (id: string) => existsSync(journal) && readFileSync(journal, "utf8").includes(`"${id}"`);
    const ids = ["c0", "c1", "c2", "c3"];
    for (const [at, id] of ids.entries()) {
      const { pid } = await isIdle();
      const message = { id, text: `crash ${id}`, mode: "next" } as const;
      const sent = killedSender("claude", desk, message, 300);
      await sign("the journal", () => (wasPut(id) ? true : undefined));
      setTimeout(() => process.kill(pid ?? 0, "SIGKILL"), Math.random() * 200);
      await sent;
      await rig.settled("mos", (agent) => agent.restarts === at + 1 && agent.state === "idle");
      await say(id, message.text);
    }
    for (const id of ids) await ended(id);
    const users = rows().filter((row) => row.type === "user" && textOf(row).includes("\ncrash c"));
    expect(users.map((row) => row.uuid)).toEqual(ids.map(uuidOf));
    expect(ids.map((id) => timesShown(`crash ${id}`))).toEqual(ids.map(() => 1));
  }, 180_000);
});
