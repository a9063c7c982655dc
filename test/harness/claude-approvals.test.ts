import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";

import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest";

import { claude } from "../../src/harness/claude/claude.ts";
import { questionsOf } from "../../src/harness/claude/permission-hook.ts";
import { until } from "../../src/lib/wait.ts";
import { claudeEnv } from "../model/claude-home.ts";
import { startScriptedModel, type ScriptedModel } from "../model/server.ts";
import { makeRig, rosterOf } from "../rig.ts";
import { claudeBin, sign, signsOf } from "./claude-rig.ts";
import { deskOf, terminal } from "./desk.ts";

let model: ScriptedModel;
beforeAll(async () => {
  model = await startScriptedModel();
});
afterAll(() => model.close());

const dialog = "Do you want to proceed?";

async function setUp(floor = "read", env: Record<string, string> = {}) {
  const rig = makeRig({ path: claudeBin });
  rig.roster(
    rosterOf(
      `{ name: mos, role: orchestrator, runtime: claude, model: scripted-large, workdir: ~/work, permissions: ${floor}, env: ${JSON.stringify({ ...claudeEnv(model.url), ...env })} }`,
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
    return listed(`Bash ${command}`);
  };
  const listed = async (what: string) => {
    const open = async () => (await claude.permissions?.(desk)) ?? [];
    await expect.poll(async () => (await open()).map((one) => one.what), { timeout: 30_000 }).toEqual([what]);
    await rig.settled("mos", (agent) => agent.state === "waiting-permission");
    const id = (await open())[0]?.id ?? "";
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
  const taskOf = (prompt: string) =>
    `[[tool Agent ${JSON.stringify({ description: "sub", prompt, subagent_type: "general-purpose" })}]]`;
  return { rig, desk, signs, folder, left, asked, asks, listed, over, did, isIdle, taskOf };
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

  test("a question back: answered from the command line with what there is to choose, or in words; or not at all", async () => {
    const { rig, desk, signs, left, over, isIdle } = await setUp();
    const hint = "to navigate";
    const question = (what: string, multiSelect: boolean) => ({
      question: `Which ${what}?`,
      header: what,
      multiSelect,
      options: ["Red", "Blue", 'It\'s "both"'].map((label) => ({ label, description: `all ${label}` })),
    });
    const [colour, tones] = [question("colour", false), question("tones", true)];
    const asks = async (name: string, ...questions: object[]) => {
      await rig.fleet("send", "mos", `Q-${name} [[tool AskUserQuestion ${JSON.stringify({ questions })}]]`);
      await signs.shows(hint);
      await expect.poll(async () => (await claude.permissions?.(desk))?.length, { timeout: 30_000 }).toBe(1);
      await rig.settled("mos", (agent) => agent.state === "waiting-input");
      const [one] = (await claude.permissions?.(desk)) ?? [];
      const id = one?.id ?? "";
      const { hook } = JSON.parse(readFileSync(join(questionsOf(desk), `${id}.json`), "utf8")) as {
        hook: { pid: number };
      };
      return { id, pid: hook.pid, one };
    };
    const heard = async (name: string) => {
      await isIdle();
      await signs.showsNot(hint);
      return (
        model
          .asks()
          .findLast(({ ask }) => ask.lastUser.includes(`Q-${name} `))
          ?.ask.toolResults.join() ?? ""
      );
    };
    const answer = async (...words: string[]) => (await rig.fleet("approvals", "answer", ...words)).code;

    const first = await asks("one", colour);
    expect(first.one).toMatchObject({ what: "Which colour?", questions: [{ several: false, options: { length: 3 } }] });
    const list = await rig.fleet("approvals");
    expect(list.out).toContain(`Which colour? (1 Red, 2 Blue, 3 It's "both")`);
    expect(list.err).toBe(`Next: mosaic fleet approvals answer mos/${first.id} 1   (or in your own words; or deny)\n`);
    // What is no answer to it changes nothing.
    expect([
      await answer("mos", "4"),
      await answer("mos", "1,2"),
      await answer("mos", "1", "2"),
      await answer("mos", " "),
    ]).toEqual([2, 2, 2, 2]);
    expect((await rig.fleet("approvals", "allow", "mos")).code).toBe(2);
    expect(await answer("mos", "2")).toBe(0);
    expect([signs.process(first.pid), left()]).toEqual(["gone", []]);
    expect(await heard("one")).toContain('"Which colour?"="Blue"');
    expect(await answer(`mos/${first.id}`, "1")).toBe(3);
    await expect(claude.choose?.(desk, first.id, ["Red"])).rejects.toMatchObject({ code: "conflict" });

    await asks("two", colour, tones);
    expect(await answer("mos", "None, it's \\ grey", "3,1")).toBe(0);
    const two = await heard("two");
    expect(two).toContain(`"Which colour?"="None, it's \\ grey"`);
    expect(two).toContain(`"Which tones?"="It's "both", Red"`);

    await asks("deny", colour);
    expect((await rig.fleet("approvals", "deny", "mos")).code).toBe(0);
    expect(await heard("deny")).toBe("A person was asked and did not answer.");

    const there = await asks("there", colour);
    signs.press("Enter");
    await sign(
      "the terminal's answer",
      () => signs.transcript().includes('answered: \\"Which colour?\\"=\\"Red\\"') || undefined,
    );
    await isIdle();
    expect(await answer(`mos/${there.id}`, "2")).toBe(3);
    await over(there.pid);
    expect([await heard("there"), left()]).toEqual([expect.stringContaining('"Which colour?"="Red"'), []]);

    // Without its hook only the terminal is left.
    const alone = await asks("alone", colour);
    process.kill(alone.pid, "SIGKILL");
    await over(alone.pid);
    expect((await rig.fleet("approvals")).out).toContain("mos (in its terminal)");
    expect(await answer("mos", "1")).toBe(4);
    signs.press("Escape");
    await signs.showsNot(hint);
    await isIdle();
    expect((await rig.fleet("approvals")).err).toBe("No agent waits for a permission.\n");

    const killed = await asks("killed", colour);
    const before = await rig.agent("mos");
    process.kill(before.pid ?? 0, "SIGKILL");
    await over(killed.pid);
    await rig.settled("mos", (agent) => agent.restarts > before.restarts && agent.state === "idle");
    expect([await claude.permissions?.(desk), left()]).toEqual([[], []]);
  });

  test("a subagent in the background: answered while nobody is at the terminal, and by whoever comes there", async () => {
    const { rig, desk, signs, folder, left, listed, over, did, isIdle, taskOf } = await setUp();
    for (const decision of ["allow", "deny"] as const) {
      await rig.fleet("send", "mos", `TASK ${taskOf(`SUB-${decision} [[bash touch ${decision}]]`)}`);
      const { id, pid } = await listed(`Bash touch ${decision}`);
      // Claude Code itself calls that busy and opens no dialog.
      await signs.showsNot(dialog);
      expect(await rig.fleet("explain", "mos")).toMatchObject({
        out: expect.stringContaining(`a subagent asks: Bash touch ${decision}`) as string,
      });
      expect((await rig.fleet("approvals")).out).toMatch(new RegExp(`mos/${id} +\\S+ +Bash touch ${decision}`));
      // It waits itself for nothing, so it can be spoken to meanwhile.
      expect(await rig.fleet("ask", "mos", `meanwhile ${decision}`)).toMatchObject({ code: 0 });
      expect((await listed(`Bash touch ${decision}`)).id).toBe(id);
      expect((await rig.fleet("approvals", decision, "mos")).code).toBe(0);
      expect([signs.process(pid), left()]).toEqual(["gone", []]);
      await isIdle();
      expect(did(decision)).toBe(decision === "allow");
      await expect(claude.answer?.(desk, id, decision)).rejects.toThrow("does not wait for that permission any more");
    }
    const heard = model.asks().filter(({ ask }) => ask.lastUser.includes("SUB-deny") && !ask.lastUser.includes("TASK"));
    expect(heard.flatMap(({ ask }) => ask.toolResults).join()).toContain("A person was asked and did not allow it.");

    // Two at once, beside the agent's own dialog: each is answered by itself.
    const three = ["one", "two"].map((name) => taskOf(`SUB-${name} [[bash touch ${name}]]`)).join(" ");
    await rig.fleet("send", "mos", `THREE ${three} [[bash touch own]]`);
    await signs.shows(dialog);
    const open = async () => (await claude.permissions?.(desk)) ?? [];
    await expect
      .poll(async () => (await open()).map(({ what }) => what).toSorted(), { timeout: 20_000 })
      .toEqual(["Bash touch one", "Bash touch own", "Bash touch two"]);
    expect((await rig.fleet("approvals", "allow", "mos")).code).toBe(3);
    for (const name of ["two", "own"]) {
      const one = (await open()).find(({ what }) => what.endsWith(name));
      expect((await rig.fleet("approvals", "allow", `mos/${one?.id}`)).code).toBe(0);
      await sign(`the file ${name}`, () => did(name) || undefined);
    }
    await signs.showsNot(dialog);
    const { id, pid } = await listed("Bash touch one");

    // Somebody comes to the terminal: there it is asked now, and there only.
    const outer = { name: "outer", socket: join(rig.root, "outer.tmux") };
    const words = terminal.viewer({ name: "mos", socket: desk.place.terminal }, { readOnly: false });
    writeFileSync(join(rig.root, "outer.sh"), `unset TMUX; exec ${words.map((word) => `'${word}'`).join(" ")}\n`);
    onTestFinished(() => terminal.close(outer));
    await terminal.open(outer, {
      script: join(rig.root, "outer.sh"),
      cwd: rig.root,
      env: { PATH: rig.env["PATH"] ?? "" },
    });
    await signs.shows(dialog);
    expect([signs.process(pid), left(), did("one")]).toEqual(["gone", [], false]);
    expect((await rig.fleet("approvals")).out).toContain("mos (in its terminal)");
    expect((await rig.fleet("approvals", "allow", `mos/${id}`)).code).toBe(3);
    await expect(claude.answer?.(desk, id, "allow")).rejects.toMatchObject({ code: "conflict" });
    signs.press("Enter");
    await sign("the file one", () => did("one") || undefined);
    await isIdle();
    await terminal.close(outer);

    // Whoever stops a subagent takes its question away: Claude Code ends the hook.
    await rig.fleet("send", "mos", `STOPPED ${taskOf("SUB-stopped [[bash touch stopped]]")}`);
    const stopped = await listed("Bash touch stopped");
    const { event } = JSON.parse(readFileSync(join(folder, `${stopped.id}.json`), "utf8")) as {
      event: { agent_id: string };
    };
    await rig.insist("mos", `STOP [[tool TaskStop ${JSON.stringify({ task_id: event.agent_id })}]]`);
    await over(stopped.pid);
    await isIdle();
    expect([await open(), left(), did("stopped")]).toEqual([[], [], false]);

    await rig.fleet("send", "mos", `KILLED ${taskOf("SUB-killed [[bash touch killed]]")}`);
    const killed = await listed("Bash touch killed");
    const before = await rig.agent("mos");
    process.kill(before.pid ?? 0, "SIGKILL");
    await over(killed.pid);
    await rig.settled("mos", (agent) => agent.restarts > before.restarts && agent.state === "idle");
    expect([await open(), left(), did("killed")]).toEqual([[], [], false]);
  });

  test("a subagent in the foreground: its dialog and we ask at once", async () => {
    const { rig, signs, left, asked, over, did, isIdle, taskOf } = await setUp("read", {
      CLAUDE_CODE_DISABLE_BACKGROUND_TASKS: "1",
    });
    await rig.fleet("send", "mos", `FIRST ${taskOf("SUB [[bash touch here]] [[bash touch there]]")}`);
    const here = await asked("touch here");
    signs.press("Enter");
    await signs.shows("touch there");
    const there = await asked("touch there");
    expect((await rig.fleet("approvals", "allow", `mos/${here.id}`)).code).toBe(3);
    expect((await rig.fleet("approvals", "allow", "mos")).code).toBe(0);
    await isIdle();
    await over(here.pid);
    expect([signs.process(there.pid), left(), did("here"), did("there")]).toEqual(["gone", [], true, true]);
  });

  test("a plan: allowed, it goes on under the floor that it had; refused, the model hears so and plans on", async () => {
    const { rig, desk, signs, left, listed, over, did, isIdle } = await setUp("edit");
    const planned = '# The plan\n1. It\'s "this".';
    /** Claude Code names the file for the plan to the model, and takes from there what it was told to exit with. */
    const plans = async (name: string, more: string) => {
      await rig.fleet("send", "mos", `PLAN-${name} [[tool EnterPlanMode {}]] [[bash ls]]`);
      await isIdle();
      const told = model.asks().map(({ ask }) => `${ask.system} ${JSON.stringify(ask.turns)}`);
      const file =
        told
          .join(" ")
          .match(/\/[^\s"`]+\/plans\/[\w-]+\.md/g)
          ?.at(-1) ?? "";
      mkdirSync(dirname(file), { recursive: true });
      writeFileSync(file, planned);
      await rig.fleet("send", "mos", `EXIT-${name} [[tool ExitPlanMode {}]] ${more}`);
      await signs.shows("Would you like to proceed?");
      return listed(`ExitPlanMode ${planned}`);
    };
    const heard = (name: string) =>
      model
        .asks()
        .findLast(({ ask }) => ask.lastUser.includes(`EXIT-${name} `))
        ?.ask.toolResults.join() ?? "";

    const first = await plans("no", "[[say over]]");
    const [one] = (await claude.permissions?.(desk)) ?? [];
    expect(one?.reason).toBe("a plan to approve; it then leaves plan mode");
    expect((await rig.fleet("approvals", "deny", "mos")).code).toBe(0);
    await isIdle();
    await signs.showsNot("Would you like to proceed?");
    expect([heard("no"), signs.process(first.pid), left()]).toEqual([
      "A person was asked and did not allow it.",
      "gone",
      [],
    ]);
    await signs.shows("plan mode on");

    const second = await plans("yes", "[[bash touch yes]]");
    expect((await rig.fleet("approvals", "allow", `mos/${second.id}`)).code).toBe(0);
    await isIdle();
    await signs.shows("accept edits on");
    expect([heard("yes"), did("yes"), left()]).toEqual([expect.stringContaining(planned), true, []]);

    const third = await plans("killed", "");
    const before = await rig.agent("mos");
    process.kill(before.pid ?? 0, "SIGKILL");
    await over(third.pid);
    await rig.settled("mos", (agent) => agent.restarts > before.restarts && agent.state === "idle");
    expect([await claude.permissions?.(desk), left()]).toEqual([[], []]);

    const fourth = await plans("there", "");
    // A key that comes as soon as the dialog is lost; one too many finds an empty editor.
    const gone = () => (signs.process(fourth.pid) === "gone" ? true : void signs.press("Enter"));
    expect(await until(gone, { withinMs: 30_000, everyMs: 1_000 })).toBe(true);
    await isIdle();
    expect((await rig.fleet("approvals", "deny", `mos/${fourth.id}`)).code).toBe(3);
    expect([heard("there"), left()]).toEqual([expect.stringContaining("approved"), []]);
  });
});
