import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";

import { afterAll, beforeAll, describe, expect, test } from "vitest";

import { pi } from "../../src/harness/pi/pi.ts";
import { writePiHome } from "../model/pi-home.ts";
import { startScriptedModel, type ScriptedModel } from "../model/server.ts";
import { makeRig, rosterOf } from "../rig.ts";
import { typedIn } from "../typed.ts";
import { sign } from "./claude-rig.ts";
import { deskOf, terminal } from "./desk.ts";

const versions = [
  { version: "0.87.1", bin: process.env["MOSAIC_TEST_PI"] ?? "" },
  { version: "1.5.2", bin: process.env["MOSAIC_TEST_PI15"] ?? "" },
];
const dialog = "May mos do this?";

describe.each(versions.filter(({ bin }) => bin !== ""))("Pi $version's permissions, for real", ({ bin }) => {
  let model: ScriptedModel;
  beforeAll(async () => {
    model = await startScriptedModel();
  });
  afterAll(() => model.close());

  async function setUp(floor: "read" | "edit" = "edit") {
    const rig = makeRig({ path: bin });
    writePiHome(rig.root, model.url);
    rig.roster(rosterOf(`{ name: mos, role: orchestrator, runtime: pi, workdir: ~/work, permissions: ${floor} }`));
    expect((await rig.fleet("start")).code).toBe(0);
    const desk = deskOf(rig, "mos");
    const at = { name: "mos", socket: rig.place("mos").terminal };
    const screen = () => terminal.capture(at);
    const shows = (text: string) =>
      sign(`${text} on the screen`, async () => (await screen()).includes(text) || undefined);
    const showsNot = (text: string) =>
      sign(`no ${text} on the screen`, async () => !(await screen()).includes(text) || undefined);
    const press = (key: string) => spawnSync("tmux", ["-S", at.socket, "send-keys", "-t", "=mos:", key]);
    const asked = async (command: string) => {
      await shows(dialog);
      const { why } = await rig.settled("mos", (agent) => agent.state === "waiting-permission");
      const [one, ...others] = (await pi.permissions?.(desk)) ?? [];
      expect([why, one?.what, others]).toEqual([`bash ${command}`, `bash ${command}`, []]);
      return one?.id ?? "";
    };
    const asks = async (name: string, more = "") => {
      await rig.fleet("send", "mos", `ASK-${name} [[bash touch ${name}]] ${more}`);
      return asked(`touch ${name}`);
    };
    const did = (name: string) => existsSync(join(rig.root, "work", name));
    const isIdle = () => rig.settled("mos", (agent) => agent.state === "idle");
    return { rig, desk, shows, showsNot, press, asked, asks, did, isIdle };
  }

  test("answered from the command line: allowed it runs, denied the model hears so, and the dialog goes", async () => {
    const { rig, desk, shows, showsNot, asks, did, isIdle } = await setUp();
    expect(await pi.permissions?.(desk)).toEqual([]);
    for (const decision of ["allow", "deny"] as const) {
      const id = await asks(decision, `[[say over ${decision}]]`);
      const [one] = (await pi.permissions?.(desk)) ?? [];
      // To have looked is no answer.
      expect(one).toMatchObject({ id, cwd: join(rig.root, "work"), reason: 'its permissions are "edit"' });
      const listed = await rig.fleet("approvals");
      expect([listed.out, listed.err]).toEqual([
        expect.stringMatching(new RegExp(`mos/${id} +\\S+ +bash touch ${decision} +its permissions`)),
        `Next: mosaic fleet approvals allow mos/${id}   (or deny)\n`,
      ]);
      expect((await rig.fleet("send", "mos", "--expire", "1s", "held")).err).toContain("a permission question is open");
      const answered = await rig.fleet("approvals", decision, "mos");
      expect([answered.code, answered.err]).toEqual([0, expect.stringContaining(`bash touch ${decision}`)]);
      await shows(`over ${decision}`);
      await showsNot(dialog);
      await isIdle();
      expect(did(decision)).toBe(decision === "allow");
      expect((await rig.fleet("approvals", decision, `mos/${id}`)).code).toBe(3);
      await expect(pi.answer?.(desk, id, decision)).rejects.toThrow("does not wait for that permission any more");
    }
    // Who it was is kept.
    const chats = new DatabaseSync(rig.home.chat, { readOnly: true });
    const audit = chats.prepare("SELECT decision FROM audit WHERE account = 'this machine'").all();
    chats.close();
    expect(audit.map(({ decision }) => String(decision).split(" ")[0])).toEqual(["Allowed", "Denied"]);
    // At a terminal a name alone is shown what it means by now, and nothing happens without a yes.
    await asks("read");
    const typed = await typedIn(rig, "fleet approvals allow mos");
    await typed.sees("mos asks: bash touch read");
    expect(did("read")).toBe(false);
    await typed.press("y");
    expect(await typed.code()).toBe("exit=0");
    await isIdle();
    expect(did("read")).toBe(true);
    // Two at once: one of them is told that it was late, and what is done is what the other said.
    await asks("both");
    const both = await Promise.all(["allow", "deny"].map((decision) => rig.fleet("approvals", decision, "mos")));
    expect(both.map(({ code }) => code).filter((code) => code === 0)).toEqual([0]);
    await isIdle();
    expect(did("both")).toBe(both[0]?.code === 0);
    const told = model.asks().flatMap(({ ask }) => ask.toolResults);
    expect(told.filter((text) => text.includes("A person was asked and did not allow it"))).not.toEqual([]);
  });

  test("the terminal was first: a late answer changes nothing, and never answers the next question", async () => {
    const { rig, desk, press, shows, showsNot, asked, asks, did, isIdle } = await setUp("read");
    const first = await asks("first", "[[bash touch second]] [[hang]]");
    press("Enter");
    await sign("the first one's file", () => did("first") || undefined);
    const second = await asked("touch second");
    expect(second).not.toBe(first);
    expect((await rig.fleet("approvals", "allow", `mos/${first}`)).code).toBe(3);
    await expect(pi.answer?.(desk, first, "allow")).rejects.toMatchObject({ code: "conflict" });
    expect([did("second"), await asked("touch second")]).toEqual([false, second]);
    press("Escape");
    await showsNot(dialog);
    expect((await rig.settled("mos", (agent) => agent.state === "working")).why).toBe(null);
    expect([await pi.permissions?.(desk), did("second")]).toEqual([[], false]);
    await rig.fleet("interrupt", "mos");
    await isIdle();

    // An interrupted turn asks nobody any more.
    await asks("third");
    await rig.fleet("interrupt", "mos");
    await showsNot(dialog);
    await isIdle();
    expect([await pi.permissions?.(desk), did("third")]).toEqual([[], false]);
    await rig.fleet("send", "mos", "and on [[say it goes]]");
    await shows("it goes");
  });

  test("kill -9 with a question open: afterwards it is gone, and nothing was done", async () => {
    const { rig, desk, asks, did } = await setUp();
    const first = await asks("first");
    const { pid } = await rig.agent("mos");
    process.kill(pid ?? 0, "SIGKILL");
    await rig.settled("mos", (agent) => agent.restarts === 1 && agent.state === "idle");
    expect((await rig.fleet("approvals", "allow", `mos/${first}`)).code).toBe(3);
    await expect(pi.answer?.(desk, first, "allow")).rejects.toMatchObject({ code: "conflict" });
    expect([await pi.permissions?.(desk), did("first")]).toEqual([[], false]);
    await asks("second");
    expect((await rig.fleet("stop")).code).toBe(0);
    await expect(pi.permissions?.(desk)).rejects.toMatchObject({ code: "unreachable" });
    expect(did("second")).toBe(false);
  });
});
