import { spawnSync } from "node:child_process";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import { afterAll, beforeAll, describe, expect, test } from "vitest";

import { converse } from "../../src/harness/codex/channel.ts";
import { codex } from "../../src/harness/codex/codex.ts";
import { readSession } from "../../src/harness/codex/session.ts";
import { look } from "../../src/harness/codex/state.ts";
import { until } from "../../src/lib/wait.ts";
import { startScriptedModel, type ScriptedModel } from "../model/server.ts";
import { agentOf, codexBin, conversation, layRig, screenShows, typeKeys } from "./codex-rig.ts";
import { deskOf, terminal } from "./desk.ts";
import { timeline } from "./timeline.ts";

let model: ScriptedModel;
beforeAll(async () => {
  model = await startScriptedModel();
});
afterAll(() => model.close());

const escalated = (command: string) =>
  `[[tool exec_command ${JSON.stringify({ cmd: command, sandbox_permissions: "require_escalated", justification: "May I?" })}]]`;
const sign = async (is: () => unknown, what: string, withinMs = 30_000) => {
  if ((await until(async () => ((await is()) ? true : undefined), { withinMs, everyMs: 25 })) === undefined)
    throw new Error(`never seen: ${what}`);
};

describe.skipIf(codexBin === "")("Codex's states, for real", () => {
  test("a day in the life: ps agrees with every turn of it", { timeout: 240_000 }, async () => {
    const rig = layRig(model.url, agentOf("mos", ", permissions: read"));
    const desk = deskOf(rig, "mos");
    const session = () => readSession(rig.place("mos").session);
    /** What Codex itself wrote down of its turns' ends. */
    const ended = () =>
      (readFileSync(session()?.file ?? "", "utf8").match(/"type":"(task_complete|turn_aborted)"/g) ?? []).length;
    const asked = (text: string, times = 1) =>
      sign(
        () => model.asks().filter(({ ask }) => ask.lastUser === text).length >= times,
        `the model was asked: ${text}`,
      );
    const send = (text: string) => rig.insist("mos", text);
    const ends = async (act: () => unknown) => {
      const before = ended();
      await act();
      await sign(() => ended() > before, "the turn's end");
    };
    const listens = (before: number | undefined) =>
      sign(
        async () => session()?.pid !== before && (await converse(desk.place.inbox, 500, async () => true)) === true,
        "a new app-server",
      );
    const screen = () => terminal.capture({ name: "mos", socket: rig.place("mos").terminal });
    /** A dialog waits: no line of the person's message says these words. */
    const dialog = () => sign(async () => (await screen()).includes("Press enter to confirm"), "the dialog");

    const raw = async () => {
      const id = session()?.id ?? "";
      const seen = await converse(desk.place.inbox, 300, (line) => look(line, id)).catch(() => undefined);
      return typeof seen === "object" ? { thread: { status: seen.thread.status }, turn: seen.turn } : undefined;
    };
    const line = timeline(rig, "mos", "codex", { raw });
    let turns = 0;
    /** A turn that the model does not end; until it is interrupted or goes on by itself. */
    const hang = (step: string, more = "") => {
      const text = `turn ${++turns} ${more}[[hang]]`;
      return line.step(step, "working", async () => {
        await send(text);
        await asked(text);
      });
    };
    const interrupt = (step = "interrupted") =>
      line.step(step, "idle", () => ends(() => rig.fleet("interrupt", "mos")));
    const ask = (step: string, text: string) =>
      line.step(
        step,
        "waiting-permission",
        async () => {
          await send(text);
          await dialog();
        },
        { status: ({ why }) => expect(why).toBe("waitingOnApproval") },
      );
    const allow = async (decision: "allow" | "deny") => {
      const [one] = (await codex.permissions?.(desk)) ?? [];
      await codex.answer?.(desk, one?.id ?? "", decision);
    };
    const go = (name: string) => writeFileSync(join(rig.root, "work", name), "");

    await line.step("never started", "stopped", () => undefined);
    await line.step("started", "idle", async () => {
      await rig.fleet("start");
      await listens(undefined);
    });
    await screenShows(rig, "scripted-large");

    await hang("the model hangs");
    await interrupt();
    await line.step("a tool runs", "working", async () => {
      const text = "tool [[bash until [ -e one ]; do sleep 0.1; done]] [[say ok]]";
      await send(text);
      await asked(text);
    });
    await line.step("it has run", "idle", () => ends(() => go("one")));
    await line.step("the model speaks slowly", "working", async () => {
      const text = "slow [[tokens 50000 100]] [[slow 2500 a long answer]]";
      await send(text);
      await asked(text);
    });
    await line.step("it has spoken", "idle", () => ends(() => undefined));
    expect(await codex.ask(desk, 1_000)).toMatchObject({ context: 26 });

    await ask("a dialog", `allowed ${escalated("touch allowed; until [ -e two ]; do sleep 0.1; done")}`);
    await line.step("allowed from outside: its command runs", "working", async () => {
      await allow("allow");
      await sign(() => existsSync(join(rig.root, "work/allowed")), "the command's file");
    });
    await line.step("the command has ended", "idle", () => ends(() => go("two")));
    await ask("a second dialog", `denied ${escalated("touch denied")}`);
    await line.step("denied from outside", "idle", () => ends(() => allow("deny")));
    await ask("a third", `person ${escalated("touch person")}`);
    await line.step("a person allows it", "idle", () => ends(() => typeKeys(rig, "Enter")));
    await ask("a fourth", `escape ${escalated("touch escape")}`);
    await line.step("a person denies it", "idle", () => ends(() => typeKeys(rig, "Escape")));
    await ask("a fifth", `cut ${escalated("touch cut")}`);
    await interrupt("interrupted while it asks");
    expect(
      ["allowed", "denied", "person", "escape", "cut"].map((name) => existsSync(join(rig.root, "work", name))),
    ).toEqual([true, false, true, false, false]);

    await line.step("tries again after an error", "working", async () => {
      await send("retry [[error 500 1]] [[hang]]");
      await asked("retry [[error 500 1]] [[hang]]", 2);
    });
    await interrupt();
    await hang("before it fails");
    await line.step("steered in the running turn", "working", async () => {
      expect((await rig.fleet("send", "mos", "--steer", "and this [[hang]]")).code).toBe(0);
      await asked("and this [[hang]]");
    });
    await interrupt();
    await line.step("gives up after errors", "idle", () => ends(() => send("broken [[error 500 9]]")), {
      status: ({ why }) => expect(why).toContain("high demand"),
    });
    const held = await rig.agent("mos");
    const alone = ({ pid, restarts }: typeof held) => expect([pid, restarts]).toEqual([held.pid, 0]);
    await line.step("a login that is refused", "auth-failed", () => ends(() => send("login [[error 401 9]]")), {
      status: (agent) => {
        alone(agent);
        expect(agent.why).toContain("401");
      },
    });
    await hang("the login is mended");
    await interrupt();
    const resetsAt = Math.floor(Date.now() / 1_000) + 7_200;
    model.rules.push({
      when: ({ lastUser }) => lastUser === "usage",
      steps: [() => ({ error: 429, details: { type: "usage_limit_reached", plan_type: "pro", resets_at: resetsAt } })],
    });
    await line.step("a limit with its end", "limited", () => ends(() => send("usage")), {
      status: (agent) => {
        alone(agent);
        expect(agent.why).toContain("usage limit");
        // Codex names the minute.
        expect(Math.abs(Date.parse(agent.until ?? "") / 1_000 - resetsAt)).toBeLessThan(61);
      },
    });
    await hang("the limit is over");
    await interrupt();
    await line.step("a limit without an end", "limited", () => ends(() => send("plain [[error 429 9]]")), {
      status: (agent) => {
        alone(agent);
        expect([agent.until, agent.why]).toEqual([null, expect.stringContaining("429")]);
      },
    });

    let summaries = 0;
    model.rules.push({ side: true, when: () => ++summaries > 0, steps: [() => ({ slow: "in short", ms: 2_500 })] });
    await line.step("its context is shortened", "working", async () => {
      const before = summaries;
      typeKeys(rig, "-l", "/compact");
      await screenShows(rig, "/compact");
      typeKeys(rig, "Enter");
      await sign(() => summaries > before, "the request for a summary");
    });
    await line.step("it is shortened", "idle", () => ends(() => undefined));
    model.rules.splice(0);

    await line.step("a person types a draft", "idle", async () => {
      typeKeys(rig, "-l", "half a dra");
      await screenShows(rig, "half a dra");
    });
    await hang("a message beside the draft");
    await interrupt();
    expect(await screen()).toContain("half a dra");

    const { pid } = await rig.agent("mos");
    await line.step("frozen", "unknown", () => process.kill(pid ?? 0, "SIGSTOP"));
    await line.step("goes on", "idle", () => process.kill(pid ?? 0, "SIGCONT"));

    await hang("work before it loses its terminal");
    const first = session()?.pid;
    // The first restart is at once, so there is no time in which it is seen dead.
    await line.step(
      "the terminal is taken away, and it is back in a new one",
      "idle",
      async () => {
        process.kill(serverPid(rig.place("mos").terminal), "SIGKILL");
        await listens(first);
      },
      { status: ({ restarts, session_id }) => expect([restarts, session_id]).toEqual([1, held.session_id]) },
    );
    await hang("works again");
    const second = session()?.pid;
    await line.step("kill -9", "dead", async () => {
      process.kill(second ?? 0, "SIGKILL");
      await sign(() => !existsSync(`/proc/${second}/exe`), "the app-server is gone");
    });
    await line.step("back in its conversation", "idle", () => listens(second), {
      status: ({ restarts, session_id }) => expect([restarts, session_id]).toEqual([2, held.session_id]),
    });
    const third = session()?.pid;
    await line.step("a crash once more", "dead", async () => {
      process.kill(third ?? 0, "SIGABRT");
      await sign(() => !existsSync(`/proc/${third}/exe`), "the app-server is gone");
    });
    await line.step("back from it", "idle", () => listens(third));

    await hang("work before the stop");
    await line.step("stopped in a turn", "stopped", () => rig.fleet("stop"));
    await line.step("started again", "idle", async () => {
      const before = session()?.pid;
      await rig.fleet("start");
      await listens(before);
    });
    expect(session()?.id).toBe(held.session_id);
    await hang("and works");
    expect(conversation(rig, "mos", "user")[0]).toBe("turn 1 [[hang]]");
    await interrupt();
    await line.step("stopped idle", "stopped", () => rig.fleet("stop"));
    line.end();
  });
});

const serverPid = (socket: string): number =>
  Number(spawnSync("tmux", ["-S", socket, "display-message", "-p", "#{pid}"], { encoding: "utf8" }).stdout);
