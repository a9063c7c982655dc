import { join } from "node:path";

import { afterAll, beforeAll, describe, expect, test } from "vitest";

import type { Agent } from "../../src/contract/agent.ts";
import { codex } from "../../src/harness/codex/codex.ts";
import type { Desk, SubmitMode, Trace } from "../../src/harness/harness.ts";
import { writeCodexHome } from "../model/codex-home.ts";
import { echoOf } from "../model/script.ts";
import { startScriptedModel, type ScriptedModel } from "../model/server.ts";
import { makeRig, rosterOf } from "../rig.ts";
import { sign } from "./claude-rig.ts";
import { terminal } from "./desk.ts";
import { freshTrace } from "./senders.ts";

const codexBin = process.env["MOSAIC_TEST_CODEX"] ?? "";
let model: ScriptedModel;
beforeAll(async () => {
  model = await startScriptedModel();
});
afterAll(() => model.close());

const answered = (text: string) => ({ kind: "answered", text, at: expect.any(Number) as number });

describe.skipIf(codexBin === "")("what became of a message, by Codex's own record", () => {
  test("answered, steered, interrupted, failed, killed, and with the agent stopped", async () => {
    const rig = makeRig({ path: codexBin });
    writeCodexHome(rig.root, model.url);
    rig.roster(rosterOf("{ name: mos, role: orchestrator, runtime: codex, workdir: ~/work }"));
    expect((await rig.fleet("start")).code).toBe(0);
    const desk: Desk = {
      agent: { name: "mos" } as Agent,
      fleet: "acme",
      place: rig.place("mos"),
      beat: { path: join(rig.home.run, "mos.hb"), intervalS: 15 },
      terminal,
      env: { HOME: rig.root },
      node: process.execPath,
      mosaic: join(rig.home.bin, "mosaic"),
      assets: { piExtension: "", codexOpener: "" },
    };
    const say = async (id: string, text: string, mode: SubmitMode = "next") =>
      (await codex.submit(desk, { id, text, mode })).state;
    const trace = async (id: string): Promise<Trace | undefined> => (await codex.trace?.(desk, [id]))?.get(id);
    const ended = (id: string) => sign(`the end of ${id}`, async () => (await trace(id))?.end);
    const isIdle = () => rig.settled("mos", (agent) => agent.state === "idle");

    await isIdle();
    expect(await trace("plain")).toBeUndefined();
    expect(await say("plain", "hello")).toBe("delivered");
    expect(await ended("plain")).toEqual(answered(echoOf("hello")));

    await isIdle();
    await say("works", "one [[bash sleep 2]] [[say first]]");
    await rig.settled("mos", (agent) => agent.state === "working");
    expect(await trace("works")).toEqual({ at: expect.any(Number) as number, acted: false });
    await say("later", "afterwards");
    await say("sooner", "meanwhile", "steer");
    const both = answered(echoOf("meanwhile")); // a new message is what the scripted model answers to
    expect([await ended("works"), await ended("sooner")]).toEqual([both, both]);
    expect(await ended("later")).toEqual(answered(echoOf("afterwards")));

    await isIdle();
    await say("stuck", "stuck [[hang]]");
    await rig.settled("mos", (agent) => agent.state === "working");
    await rig.fleet("interrupt", "mos");
    expect(await ended("stuck")).toEqual({ kind: "broken", why: "interrupted" });
    await isIdle();
    await say("fails", "err [[error 400 9]]");
    expect(await ended("fails")).toEqual({ kind: "broken", why: expect.stringContaining("400") as string });

    await isIdle();
    await say("cut", "cut [[bash true]] [[hang]]");
    await sign("the tool", async () => ((await trace("cut"))?.acted ? true : undefined));
    expect((await trace("cut"))?.end).toBeUndefined();
    const { pid } = await rig.agent("mos");
    process.kill(pid ?? 0, "SIGKILL");
    const why = "Codex ended before it had answered";
    expect(await ended("cut")).toEqual({ kind: "broken", cut: true, why });
    await rig.settled("mos", (agent) => agent.restarts === 1 && agent.state === "idle");
    expect((await trace("cut"))?.end).toEqual({ kind: "broken", cut: true, why });
    await say("back", "after the kill");
    expect(await ended("back")).toEqual(answered(echoOf("after the kill")));

    await rig.fleet("stop");
    const ids = ["plain", "works", "sooner", "later", "stuck", "fails", "cut", "back"];
    const here = Object.fromEntries((await codex.trace?.(desk, ids)) ?? []);
    expect(Object.keys(here)).toEqual(ids);
    expect(await freshTrace("codex", desk, [...ids, "never"])).toEqual(here);
  }, 120_000);
});
