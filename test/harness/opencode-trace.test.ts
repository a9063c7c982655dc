import { join } from "node:path";

import { afterAll, beforeAll, describe, expect, test } from "vitest";

import type { Agent } from "../../src/contract/agent.ts";
import type { Desk, Trace } from "../../src/harness/harness.ts";
import { opencode } from "../../src/harness/opencode/opencode.ts";
import { writeOpencodeHome } from "../model/opencode-home.ts";
import { echoOf } from "../model/script.ts";
import { startScriptedModel, type ScriptedModel } from "../model/server.ts";
import { makeRig, rosterOf } from "../rig.ts";
import { sign } from "./claude-rig.ts";
import { terminal } from "./desk.ts";
import { freshTrace } from "./senders.ts";

const opencodeBin = process.env["MOSAIC_TEST_OPENCODE"] ?? "";
let model: ScriptedModel;
beforeAll(async () => {
  model = await startScriptedModel();
});
afterAll(() => model.close());

const answered = (text: string) => ({ kind: "answered", text, at: expect.any(Number) as number });

describe.skipIf(opencodeBin === "")("what became of a message, by OpenCode's own database", () => {
  test("answered, in the middle of a turn, interrupted, failed, and with the agent stopped", async () => {
    const rig = makeRig({ path: opencodeBin });
    writeOpencodeHome(rig.root, model.url, {});
    rig.roster(rosterOf("{ name: mos, role: orchestrator, runtime: opencode, workdir: ~/work, permissions: full }"));
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
    const say = async (id: string, text: string) => (await opencode.submit(desk, { id, text, mode: "next" })).state;
    const trace = async (id: string): Promise<Trace | undefined> => (await opencode.trace?.(desk, [id]))?.get(id);
    const ended = (id: string) => sign(`the end of ${id}`, async () => (await trace(id))?.end);
    const isIdle = () => rig.settled("mos", (agent) => agent.state === "idle");

    await isIdle();
    expect(await trace("plain")).toBeUndefined();
    expect(await say("plain", "hello")).toBe("delivered");
    expect(await ended("plain")).toEqual(answered(echoOf("hello")));

    await isIdle();
    await say("works", "one [[bash sleep 3]] [[say first]]");
    await sign("the tool", async () => ((await trace("works"))?.acted ? true : undefined));
    expect((await trace("works"))?.end).toBeUndefined();
    await say("joins", "meanwhile");
    const both = answered(echoOf("meanwhile")); // a new message is what the scripted model answers to
    expect([await ended("works"), await ended("joins")]).toEqual([both, both]);

    await isIdle();
    await say("stuck", "stuck [[hang]]");
    await rig.settled("mos", (agent) => agent.state === "working");
    await rig.fleet("interrupt", "mos");
    expect(await ended("stuck")).toEqual({ kind: "broken", why: "interrupted" });
    await isIdle();
    await say("fails", "err [[error 400 9]]");
    expect(await ended("fails")).toEqual({ kind: "broken", why: expect.stringContaining("400") as string });

    await rig.fleet("stop");
    const ids = ["plain", "works", "joins", "stuck", "fails"];
    const here = Object.fromEntries((await opencode.trace?.(desk, ids)) ?? []);
    expect(Object.keys(here)).toEqual(ids);
    expect(await freshTrace("opencode", desk, [...ids, "never"])).toEqual(here);
  }, 120_000);
});
