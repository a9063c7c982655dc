import { mkdirSync, rmSync, symlinkSync } from "node:fs";
import { join } from "node:path";

import { afterAll, beforeAll, describe, expect, test } from "vitest";

import { writePiHome } from "../model/pi-home.ts";
import { startScriptedModel, type ScriptedModel } from "../model/server.ts";
import { makeRig, rosterOf } from "../rig.ts";

const [older, newer] = [process.env["MOSAIC_TEST_PI"] ?? "", process.env["MOSAIC_TEST_PI15"] ?? ""];
let model: ScriptedModel;
beforeAll(async () => {
  model = await startScriptedModel();
});
afterAll(() => model.close());

describe.skipIf(older === "" || newer === "")("a harness that is updated", () => {
  test("goes on as it is until it is restarted, and then in the same conversation; and back", async () => {
    const rig = makeRig();
    const current = join(rig.root, "current");
    mkdirSync(current);
    /** As an updater does it: each version in a folder of its own, and one link that says which is meant. */
    const switchTo = (bin: string) => {
      rmSync(join(current, "pi"), { force: true });
      symlinkSync(join(bin, "pi"), join(current, "pi"));
    };
    rig.env["PATH"] = `${current}:${rig.env["PATH"]}`;
    writePiHome(rig.root, model.url);
    rig.roster(rosterOf("{ name: mos, role: orchestrator, runtime: pi, workdir: ~/work }"));
    switchTo(older);
    expect((await rig.fleet("start")).code).toBe(0);
    const first = await rig.agent("mos");
    expect(first.version).toBe("0.87.1");
    expect((await rig.fleet("ask", "mos", "before the update")).out).toMatch(/^echo len=17 /);
    for (const [bin, version] of [
      [newer, "1.5.2"],
      [older, "0.87.1"],
    ] as const) {
      const before = await rig.agent("mos");
      switchTo(bin);
      expect(await rig.agent("mos")).toMatchObject({ pid: before.pid, version: before.version, state: "idle" });
      expect((await rig.fleet("restart", "mos")).code).toBe(0);
      const after = await rig.agent("mos");
      expect(after).toMatchObject({ version, session_id: first.session_id, state: "idle", restarts: 0 });
      expect((await rig.fleet("ask", "mos", `now ${version}`)).out).toMatch(/^echo len=/);
      expect((await rig.fleet("tail", "mos", "-n", "50")).out).toContain("before the update");
    }
  });
});
