import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import { afterAll, beforeAll, describe, expect, test } from "vitest";

import type { Agent } from "../../src/contract/agent.ts";
import type { Desk, SubmitMode, Trace } from "../../src/harness/harness.ts";
import { pi } from "../../src/harness/pi/pi.ts";
import { writePiHome } from "../model/pi-home.ts";
import { echoOf } from "../model/script.ts";
import { startScriptedModel, type ScriptedModel } from "../model/server.ts";
import { makeRig, rosterOf } from "../rig.ts";
import { sign } from "./claude-rig.ts";
import { terminal } from "./desk.ts";
import { freshTrace, killedSender } from "./senders.ts";

const piBin = process.env["MOSAIC_TEST_PI"] ?? "";
let model: ScriptedModel;
beforeAll(async () => {
  model = await startScriptedModel();
});
afterAll(() => model.close());

async function setUp() {
  const rig = makeRig({ path: piBin });
  writePiHome(rig.root, model.url);
  rig.roster(rosterOf("{ name: mos, role: orchestrator, runtime: pi, workdir: ~/work }"));
  expect((await rig.fleet("start")).code).toBe(0);
  const desk: Desk = {
    agent: { name: "mos" } as Agent,
    fleet: "acme",
    place: rig.place("mos"),
    beat: { path: join(rig.home.run, "mos.hb"), intervalS: 15 },
    terminal,
    env: {},
    node: process.execPath,
    mosaic: join(rig.home.bin, "mosaic"),
    assets: { piExtension: "", codexOpener: "" },
  };
  const say = async (id: string, text: string, mode: SubmitMode = "next") =>
    (await pi.submit(desk, { id, text, mode })).state;
  const trace = async (id: string): Promise<Trace | undefined> => (await pi.trace?.(desk, [id]))?.get(id);
  const ended = (id: string) => sign(`the end of ${id}`, async () => (await trace(id))?.end);
  const isIdle = () => rig.settled("mos", (agent) => agent.state === "idle");
  /** What people and agents said to it, as Pi itself wrote it down. */
  const heard = (): string[] => {
    const { file } = JSON.parse(readFileSync(desk.place.session, "utf8")) as { file: string };
    if (!existsSync(file)) return [];
    return readFileSync(file, "utf8")
      .split("\n")
      .filter((line) => line.includes('"role":"user"'))
      .map((line) => JSON.parse(line) as { message: { content: string | { text?: string }[] } })
      .map(({ message: { content } }) =>
        typeof content === "string" ? content : content.map((part) => part.text ?? "").join(""),
      );
  };
  return { rig, desk, say, trace, ended, isIdle, heard };
}

const answered = (text: string) => ({ kind: "answered", text, at: expect.any(Number) as number });

describe.skipIf(piBin === "")("what became of a message, by Pi's own events", () => {
  test("answered, steered, interrupted, failed, killed, and what a kill kept from being noted", async () => {
    const { rig, desk, say, trace, ended, isIdle } = await setUp();
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
    await say("sooner", "meanwhile", "steer");
    expect(await trace("later")).toBeUndefined(); // it waits in the extension
    // A new message is what the scripted model answers to.
    const both = answered(echoOf("meanwhile"));
    expect([await ended("works"), await ended("sooner")]).toEqual([both, both]);
    expect(await ended("later")).toEqual(answered(echoOf("afterwards")));

    await isIdle();
    await say("stuck", "stuck [[hang]]");
    await rig.settled("mos", (agent) => agent.state === "working");
    expect(await trace("stuck")).toEqual({ at: expect.any(Number) as number, acted: false });
    await rig.fleet("interrupt", "mos");
    expect(await ended("stuck")).toEqual({ kind: "broken", why: "interrupted" });
    await isIdle();
    await say("fails", "err [[error 400 9]]");
    expect(await ended("fails")).toEqual({ kind: "broken", why: expect.stringContaining("400") as string });

    await isIdle();
    await say("cut", "cut [[bash true]] [[hang]]");
    await sign("the second request", () =>
      model.asks().filter((one) => one.ask.lastUser.startsWith("cut")).length === 2 ? true : undefined,
    );
    await say("kept", "kept through a crash");
    const { pid } = await rig.agent("mos");
    process.kill(pid ?? 0, "SIGKILL");
    expect(await ended("cut")).toEqual({ kind: "broken", cut: true, why: "Pi ended before it had answered" });
    expect(await ended("kept")).toEqual(answered(echoOf("kept through a crash")));
    await isIdle();

    await rig.fleet("stop");
    const ids = ["plain", "works", "sooner", "later", "stuck", "fails", "cut", "kept"];
    const here = Object.fromEntries((await pi.trace?.(desk, ids)) ?? []);
    expect(Object.keys(here)).toEqual(ids);
    expect(await freshTrace("pi", desk, [...ids, "never"])).toEqual(here);

    // As if Pi had been killed between what happened and the line about it: down, and again when it is back.
    const lines = readFileSync(desk.place.journal, "utf8").split("\n");
    const isEnd = (line: string) => /"kind":"(answered|broken)"/.test(line);
    // What a start found broken off was noted then, before anything else was said.
    const lost = (line: string) => (isEnd(line) || line.includes('"kind":"acted"')) && !line.includes('"cut"');
    writeFileSync(desk.place.journal, lines.filter((line) => !lost(line)).join("\n"));
    const withoutTime = (traces: Record<string, Trace>) =>
      ids.map((id) => {
        const end = traces[id]?.end;
        return end?.kind === "answered" ? end.text : end?.why;
      });
    expect(withoutTime(await freshTrace("pi", desk, ids))).toEqual(withoutTime(here));
    await rig.fleet("start");
    await isIdle();
    expect(withoutTime(await freshTrace("pi", desk, ids))).toEqual(withoutTime(here));
    expect(readFileSync(desk.place.journal, "utf8").split("\n").filter(isEnd)).toHaveLength(ids.length);
  }, 120_000);

  test("kill -9 of the sender at 30 random moments: the next one finds out, and each message is there once", async () => {
    const { desk, say, ended, heard } = await setUp();
    const ids = Array.from({ length: 30 }, (_, at) => `k${at}`);
    let late = 0;
    for (const id of ids) {
      const message = { id, text: `kill ${id}`, mode: "next" } as const;
      if (await killedSender("pi", desk, message, Math.random() * 30)) late += 1;
      expect(["delivered", "queued"]).toContain(await say(id, message.text));
    }
    for (const id of ids) expect(await ended(id)).toEqual(answered(echoOf(`kill ${id}`)));
    expect(heard()).toEqual(ids.map((id) => `kill ${id}`));
    console.log(`${30 - late} of 30 senders were killed before they had their receipt`);
    expect(late).toBeLessThan(30);
  }, 120_000);

  test("kill -9 of Pi while it takes a message: afterwards it is there once, whenever that was", async () => {
    const { rig, desk, say, ended, isIdle, heard } = await setUp();
    const ids = ["c0", "c1", "c2", "c3"];
    for (const [at, id] of ids.entries()) {
      const { pid } = await isIdle();
      const message = { id, text: `crash ${id}`, mode: "next" } as const;
      const sent = killedSender("pi", desk, message, 300);
      setTimeout(() => process.kill(pid ?? 0, "SIGKILL"), 100 + Math.random() * 150);
      await sent;
      await rig.settled("mos", (agent) => agent.restarts === at + 1 && agent.state === "idle");
      await say(id, message.text);
    }
    for (const id of ids) await ended(id);
    expect(heard()).toEqual(ids.map((id) => `crash ${id}`));
  }, 120_000);
});
