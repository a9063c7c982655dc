import { spawnSync } from "node:child_process";

import { afterAll, beforeAll, describe, expect, test } from "vitest";

import { writePiHome } from "../model/pi-home.ts";
import { startScriptedModel, type ScriptedModel } from "../model/server.ts";
import { rosterOf } from "../rig.ts";
import { makeFleet } from "./rig.ts";

const piBin = process.env["MOSAIC_TEST_PI"] ?? "";
let model: ScriptedModel;
beforeAll(async () => {
  model = await startScriptedModel();
});
afterAll(() => model.close());

describe.skipIf(piBin === "")("a real Pi agent under systemd", () => {
  test("keeps its conversation through moves between supervisors, a crash, and a restart of systemd itself", async () => {
    const rig = makeFleet(piBin);
    writePiHome(rig.root, model.url);
    rig.roster(`${rosterOf("{ name: mos, role: orchestrator, runtime: pi, workdir: ~/work }")}supervisor: builtin\n`);
    expect((await rig.fleet("start")).code).toBe(0);
    const session = (await rig.agent("mos")).session_id;
    const say = async (text: string) => {
      expect((await rig.fleet("send", "mos", `[[say you said ${text}]]`)).code).toBe(0);
      await expect
        .poll(async () => (await rig.fleet("tail", "mos")).out, { timeout: 20_000 })
        .toContain(`you said ${text}`);
    };
    const isBack = (before: number | null) =>
      rig.settled("mos", (agent) => agent.state === "idle" && agent.pid !== before && agent.session_id === session);
    await say("one");
    for (const kind of ["systemd", "builtin", "systemd"]) {
      const { pid } = await rig.agent("mos");
      await rig.fleet("init", "--supervisor", kind, "--yes");
      expect((await rig.fleet("apply")).code).toBe(0);
      await isBack(pid);
      await say(`as ${kind}`);
    }
    const { pid } = await rig.agent("mos");
    process.kill(pid ?? 0, "SIGKILL");
    await isBack(pid);
    await say("after a crash");
    const before = (await rig.agent("mos")).pid;
    spawnSync("systemctl", ["--user", "exit"]);
    await isBack(before);
    await say("after a restart");
    const told = (await rig.fleet("tail", "mos", "-n", "100")).out;
    for (const text of ["one", "as systemd", "as builtin", "after a crash", "after a restart"])
      expect(told).toContain(`you said ${text}`);
  });
});
