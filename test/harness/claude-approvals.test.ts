import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import { afterAll, beforeAll, describe, expect, test } from "vitest";

import { claude } from "../../src/harness/claude/claude.ts";
import { questionsOf } from "../../src/harness/claude/permission-hook.ts";
import { claudeEnv } from "../model/claude-home.ts";
import { startScriptedModel, type ScriptedModel } from "../model/server.ts";
import { makeRig, rosterOf } from "../rig.ts";
import { claudeBin, sign, signsOf } from "./claude-rig.ts";
import { deskOf } from "./desk.ts";

let model: ScriptedModel;
beforeAll(async () => {
  model = await startScriptedModel();
});
afterAll(() => model.close());

const dialog = "Do you want to proceed?";

async function setUp() {
  const rig = makeRig({ path: claudeBin });
  rig.roster(
    rosterOf(
      `{ name: mos, role: orchestrator, runtime: claude, model: scripted-large, workdir: ~/work, permissions: read, env: ${JSON.stringify(claudeEnv(model.url))} }`,
    ),
  );
  expect((await rig.fleet("start")).code).toBe(0);
  const desk = deskOf(rig, "mos");
  const signs = signsOf(rig, "mos", model);
  const folder = questionsOf(desk);
  const left = (): string[] => (existsSync(folder) ? readdirSync(folder) : []);
  /** The one question that is open, with the process of the hook that waits, by what that wrote down itself. */
  const asked = async (command: string) => {
    await signs.shows(dialog);
    await rig.settled("mos", (agent) => agent.state === "waiting-permission");
    const [one, ...others] = (await claude.permissions?.(desk)) ?? [];
    expect([one?.what, others]).toEqual([`Bash ${command}`, []]);
    const id = one?.id ?? "";
    const { hook } = JSON.parse(readFileSync(join(folder, `${id}.json`), "utf8")) as { hook: { pid: number } };
    return { id, pid: hook.pid };
  };
  const asks = async (name: string, more = "") => {
    await rig.fleet("send", "mos", `ASK-${name} [[bash touch ${name}]] ${more}`);
    return asked(`touch ${name}`);
  };
  const over = (pid: number) => sign("the hook's end", () => (signs.process(pid) === "gone" ? true : undefined));
  const did = (name: string) => existsSync(join(rig.root, "work", name));
  const isIdle = () => rig.settled("mos", (agent) => agent.state === "idle");
  return { rig, desk, signs, folder, left, asked, asks, over, did, isIdle };
}

describe.skipIf(claudeBin === "")("Claude Code's permissions, for real", () => {
  test("answered from the command line: allowed it runs, denied the model hears so, and the dialog goes", async () => {
    const { rig, desk, signs, folder, left, asks, did, isIdle } = await setUp();
    expect(await claude.permissions?.(desk)).toEqual([]);
    for (const decision of ["allow", "deny"] as const) {
      const { id, pid } = await asks(decision, `[[say over ${decision}]]`);
      expect(statSync(folder).mode & 0o077).toBe(0);
      expect(left().filter((name) => (statSync(join(folder, name)).mode & 0o077) !== 0)).toEqual([]);
      const [one] = (await claude.permissions?.(desk)) ?? [];
      // To have looked is no answer.
      expect(one).toMatchObject({ id, cwd: join(rig.root, "work"), reason: "Scripted step" });
      expect(Math.abs(Date.now() - (one?.at ?? 0))).toBeLessThan(30_000);
      const listed = await rig.fleet("approvals");
      expect([listed.out, listed.err]).toEqual([
        expect.stringMatching(new RegExp(`mos/${id} +\\S+ +Bash touch ${decision} +Scripted step`)),
        `Next: mosaic fleet approvals allow mos/${id}   (or deny)\n`,
      ]);
      expect((await rig.fleet("send", "mos", "--expire", "1s", "held")).err).toContain("a permission question is open");
      const answered = await rig.fleet("approvals", decision, "mos");
      expect([answered.code, answered.err]).toEqual([0, expect.stringContaining(`Bash touch ${decision}`)]);
      // It has been answered when the command ends: hook and question are gone.
      expect([signs.process(pid), left()]).toEqual(["gone", []]);
      await signs.shows(`over ${decision}`);
      await signs.showsNot(dialog);
      await isIdle();
      expect(did(decision)).toBe(decision === "allow");
      expect((await rig.fleet("approvals", decision, `mos/${id}`)).code).toBe(3);
      await expect(claude.answer?.(desk, id, decision)).rejects.toThrow("does not wait for that permission any more");
    }
    // Two at once: one of them is told that it was late, and what is done is what the other said.
    await asks("both");
    const both = await Promise.all(["allow", "deny"].map((decision) => rig.fleet("approvals", decision, "mos")));
    expect(both.map(({ code }) => code).filter((code) => code === 0)).toEqual([0]);
    await isIdle();
    expect(did("both")).toBe(both[0]?.code === 0);
    const told = model.asks().flatMap(({ ask }) => ask.toolResults);
    expect(told.filter((text) => text.includes("A person was asked and did not allow it."))).not.toEqual([]);
  });

  test("the terminal was first: a late answer changes nothing, and never answers the next question", async () => {
    const { rig, desk, signs, folder, left, asked, asks, over, did, isIdle } = await setUp();
    const first = await asks("first", "[[bash touch second]] [[hang]]");
    signs.press("Enter");
    await sign("the first one's file", () => did("first") || undefined);
    await signs.shows("touch second");
    const second = await asked("touch second");
    expect(second.id).not.toBe(first.id);
    expect((await rig.fleet("approvals", "allow", `mos/${first.id}`)).code).toBe(3);
    await expect(claude.answer?.(desk, first.id, "allow")).rejects.toMatchObject({ code: "conflict" });
    // Even what the first one's hook says now is for the first one: Claude Code leaves it running.
    if (signs.process(first.pid) !== "gone") {
      writeFileSync(join(folder, `${first.id}.answer`), "allow\n");
      process.kill(first.pid, "SIGUSR1");
    }
    await over(first.pid);
    await rig.fleet("approvals");
    expect([did("second"), (await asked("touch second")).id]).toEqual([false, second.id]);
    expect((await rig.fleet("approvals", "allow", "mos")).code).toBe(0);
    await sign("the second one's file", () => did("second") || undefined);
    await rig.fleet("interrupt", "mos");
    await isIdle();

    // Put away in the terminal: Claude Code ends the hook.
    const third = await asks("third");
    signs.press("Escape");
    await signs.showsNot(dialog);
    await over(third.pid);
    expect([(await claude.permissions?.(desk)) ?? [], left(), did("third")]).toEqual([[], [], false]);
    await isIdle();
    // Allowed in the terminal: the hook ends by itself, without anybody who looks.
    const fourth = await asks("fourth", "[[hang]]");
    signs.press("Enter");
    await over(fourth.pid);
    expect([left(), did("fourth")]).toEqual([[], true]);
  });

  test("killed: with the agent its question is gone, and without its hook only the terminal can answer", async () => {
    const { rig, desk, signs, left, asks, over, did, isIdle } = await setUp();
    const first = await asks("first");
    const { pid, restarts } = await rig.agent("mos");
    process.kill(pid ?? 0, "SIGKILL");
    await over(first.pid);
    await rig.settled("mos", (agent) => agent.restarts > restarts && agent.state === "idle");
    expect([await claude.permissions?.(desk), left()]).toEqual([[], []]);
    expect((await rig.fleet("approvals", "allow", `mos/${first.id}`)).code).toBe(3);
    expect(did("first")).toBe(false);

    const second = await asks("second");
    process.kill(second.pid, "SIGKILL");
    await over(second.pid);
    const listed = await rig.fleet("approvals");
    expect(listed.out).toContain("mos (in its terminal)");
    expect((await rig.fleet("approvals", "allow", "mos")).code).toBe(4);
    signs.press("Escape");
    await signs.showsNot(dialog);
    await isIdle();
    expect([left(), did("second")]).toEqual([[], false]);

    const third = await asks("third");
    expect((await rig.fleet("stop")).code).toBe(0);
    expect([signs.process(third.pid), left(), did("third")]).toEqual(["gone", [], false]);
  });

  test("what is no permission, and what a subagent asks, is the terminal's alone", async () => {
    const { rig, signs, left, did, isIdle } = await setUp();
    const options = ["Red", "Blue"].map((label) => ({ label, description: label }));
    const question = { question: "Which colour?", header: "Colour", multiSelect: false, options };
    await rig.fleet("send", "mos", `BACK [[tool AskUserQuestion ${JSON.stringify({ questions: [question] })}]]`);
    await signs.shows("Enter to select");
    expect((await rig.fleet("approvals")).err).toBe("No agent waits for a permission.\n");
    signs.press("Escape");
    await isIdle();
    const task = { description: "sub", prompt: "SUB [[bash touch sub]]", subagent_type: "general-purpose" };
    await rig.fleet("send", "mos", `TASK [[tool Agent ${JSON.stringify(task)}]]`);
    // In the background it would not even be asked while a hook waits.
    await signs.shows(dialog);
    expect((await rig.fleet("approvals")).out).toContain("mos (in its terminal)");
    expect((await rig.fleet("approvals", "allow", "mos")).code).toBe(4);
    expect([left(), did("sub")]).toEqual([[], false]);
  });
});
