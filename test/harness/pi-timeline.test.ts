import { spawnSync } from "node:child_process";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";

import { afterAll, beforeAll, describe, expect, test } from "vitest";

import { until } from "../../src/lib/wait.ts";
import { tmuxTerminal } from "../../src/terminal/tmux.ts";
import { writePiHome } from "../model/pi-home.ts";
import { startScriptedModel, type ScriptedModel } from "../model/server.ts";
import { makeRig, rosterOf } from "../rig.ts";
import { timeline } from "./timeline.ts";

const versions = [
  { version: "0.87.1", file: "pi", bin: process.env["MOSAIC_TEST_PI"] ?? "" },
  { version: "1.5.2", file: "pi-1.5", bin: process.env["MOSAIC_TEST_PI15"] ?? "" },
];
const terminal = tmuxTerminal({ PATH: process.env["PATH"] ?? "" });

/** Pi asks nothing by itself; an extension may, of a tool call and by a command. */
const asking = `export default (pi) => {
  pi.on("tool_call", async (event, ctx) => {
    if (!String(event.input.command).includes("# ask")) return;
    if (!(await ctx.ui.confirm("May I do this", event.input.command))) return { block: true, reason: "a person said no" };
  });
  pi.registerCommand("choose", { description: "asks", handler: async (_, ctx) => void (await ctx.ui.select("Which one", ["left", "right"])) });
};
`;

const sign = async (is: () => unknown, what: string, everyMs = 25) => {
  if ((await until(async () => ((await is()) ? true : undefined), { withinMs: 30_000, everyMs })) === undefined)
    throw new Error(`never seen: ${what}`);
};

describe.each(versions.filter(({ bin }) => bin !== ""))("Pi $version's states, for real", ({ bin, file }) => {
  let model: ScriptedModel;
  beforeAll(async () => {
    model = await startScriptedModel();
  });
  afterAll(() => model.close());

  test("a day in the life: ps agrees with every turn of it", { timeout: 240_000 }, async () => {
    const rig = makeRig({ path: bin });
    writePiHome(rig.root, model.url, {
      more: { retry: { enabled: true, maxRetries: 3, baseDelayMs: 50 }, compaction: { keepRecentTokens: 10 } },
    });
    writeFileSync(join(rig.root, "asking.ts"), asking);
    rig.roster(
      rosterOf(`{ name: mos, role: orchestrator, runtime: pi, workdir: ~/work, args: [-e, ${rig.root}/asking.ts] }`),
    );
    const place = rig.place("mos");
    const at = { name: "mos", socket: place.terminal };
    const pidNow = () => {
      try {
        return (JSON.parse(readFileSync(place.session, "utf8")) as { pid?: number }).pid;
      } catch {
        return undefined;
      }
    };
    const of = (text: string) => model.asks().filter(({ ask }) => ask.lastUser === text);
    const asked = (text: string, times = 1) => sign(() => of(text).length >= times, `the model was asked: ${text}`);
    /** Every request is over, the last of so many. */
    const over = (text: string, times: number) =>
      sign(() => of(text).length >= times && of(text).every(({ outcome }) => outcome !== "open"), `an end of: ${text}`);
    const send = (text: string) => rig.insist("mos", text);
    const say = async (text: string, times: number) => {
      await send(text);
      await over(text, times);
    };
    const shows = (text: string) =>
      sign(async () => (await terminal.capture(at)).includes(text), `on the screen: ${text}`);
    const keys = (...words: string[]) => spawnSync("tmux", ["-S", at.socket, "send-keys", "-t", "=mos:", ...words]);
    const listens = (before: number | undefined) =>
      sign(
        () =>
          pidNow() !== before &&
          new Promise((heard) => {
            const line = connect(place.inbox);
            line.on("connect", () => heard(true)).on("error", () => heard(false));
            line.on("connect", () => line.destroy());
          }),
        "a new Pi",
      );
    const gone = (pid: number | undefined) => sign(() => !existsSync(`/proc/${pid}/exe`), "its end");
    const go = (name: string) => writeFileSync(join(rig.root, "work", name), "");

    const line = timeline(rig, "mos", "pi", { file });
    let turns = 0;
    let newest = "";
    const hang = (step: string) => {
      newest = `turn ${++turns} [[hang]]`;
      return line.step(step, "working", async () => {
        await send(newest);
        await asked(newest);
      });
    };
    const interrupt = (step = "interrupted") =>
      line.step(step, "idle", async () => {
        await rig.fleet("interrupt", "mos");
        await over(newest, 1);
      });
    const gate = (step: string, command: string) =>
      line.step(
        step,
        "waiting-input",
        async () => {
          await send(`${step} [[bash ${command} # ask]]`);
          await shows("May I do this");
        },
        { status: ({ why }) => expect(why).toBe("May I do this") },
      );

    await line.step("never started", "stopped", () => undefined);
    await line.step("started", "idle", async () => {
      await rig.fleet("start");
      await listens(undefined);
    });
    await hang("the model hangs");
    await interrupt();
    const tool = "tool [[bash until [ -e one ]; do sleep 0.1; done]] [[say ok]]";
    await line.step("a tool runs", "working", async () => {
      await send(tool);
      await asked(tool);
    });
    await line.step("it has run", "idle", async () => {
      go("one");
      await over(tool, 2);
    });
    const slow = "slow [[tokens 50000 100]] [[slow 2500 a long answer]]";
    await line.step("the model speaks slowly", "working", async () => {
      await send(slow);
      await asked(slow);
    });
    await line.step("it has spoken", "idle", () => over(slow, 1));
    expect(readFileSync(join(rig.home.run, "mos.hb"), "utf8")).toMatch(/context=25%/);

    await gate("a gate asks", "touch allowed; until [ -e two ]; do sleep 0.1; done");
    await line.step("a person allows it: its command runs", "working", async () => {
      keys("Enter");
      await sign(() => existsSync(join(rig.root, "work/allowed")), "the command's file");
    });
    await line.step("the command has ended", "idle", async () => {
      go("two");
      await sign(() => model.asks().at(-1)?.ask.answered === 1 && model.asks().at(-1)?.outcome === "sent", "its end");
    });
    await gate("a gate asks again", "touch denied");
    await line.step("a person denies it", "idle", async () => {
      keys("Escape");
      await sign(() => model.asks().at(-1)?.ask.answered === 1 && model.asks().at(-1)?.outcome === "sent", "its end");
    });
    expect(existsSync(join(rig.root, "work/denied"))).toBe(false);
    await line.step(
      "a command asks a person",
      "waiting-input",
      async () => {
        keys("-l", "/choose now");
        await shows("/choose now");
        keys("Enter");
        await shows("Which one");
      },
      { status: ({ why }) => expect(why).toBe("Which one") },
    );
    await line.step("a person leaves it", "idle", async () => {
      keys("Escape");
      await sign(async () => !(await terminal.capture(at)).includes("Which one"), "the question is gone");
    });

    await line.step("tries again after an error", "working", async () => {
      newest = "retry [[error 500 1]] [[hang]]";
      await send(newest);
      await asked(newest, 2);
    });
    await interrupt();
    await hang("before it is steered");
    await line.step("steered in the running turn", "working", async () => {
      expect((await rig.fleet("send", "mos", "--steer", "and this [[hang]]")).code).toBe(0);
    });
    await line.step("interrupted: what was to steer it comes next", "working", async () => {
      await rig.fleet("interrupt", "mos");
      newest = "and this [[hang]]";
      await asked(newest);
    });
    await interrupt();
    await hang("before it fails");
    await interrupt();
    await line.step("gives up after errors", "idle", () => say("broken [[error 500 9]]", 4), {
      status: ({ why }) => expect(why).toContain("500"),
    });
    const held = await rig.agent("mos");
    const alone = ({ pid, restarts }: typeof held) => expect([pid, restarts]).toEqual([held.pid, 0]);
    await line.step("a login that is refused", "auth-failed", () => say("login [[error 401 9]]", 1), {
      status: (agent) => {
        alone(agent);
        expect(agent.why).toContain("401");
      },
    });
    await hang("the login is mended");
    await interrupt();
    const before = Date.now();
    await line.step("a limit with its end", "limited", () => say("limit [[error 429 9 7200]]", 4), {
      status: (agent) => {
        alone(agent);
        expect(agent.why).toContain("429");
        expect(Math.abs(Date.parse(agent.until ?? "") - before - 7_200_000)).toBeLessThan(10_000);
      },
    });
    await hang("the limit is over");
    await interrupt();
    await line.step("a limit without an end", "limited", () => say("plain [[error 429 9]]", 4), {
      status: (agent) => {
        alone(agent);
        expect(agent.until).toBe(null);
      },
    });
    await hang("and over too");
    await interrupt();

    let summaries = 0;
    let summed = 0;
    model.rules.push({ side: true, when: () => ++summaries > 0, steps: [() => ({ slow: "in short", ms: 2_500 })] });
    await line.step("its context is shortened", "working", async () => {
      keys("-l", "/compact");
      await shows("/compact");
      // The first Enter may only complete the menu.
      await sign(() => summaries > 0 || (keys("Enter"), false), "the request for a summary", 300);
    });
    await line.step("it is shortened", "idle", async () => {
      const { file: saved } = JSON.parse(readFileSync(place.session, "utf8")) as { file: string };
      await sign(() => (summed = readFileSync(saved, "utf8").split('"type":"compaction"').length - 1), "the summary");
    });
    expect(summed).toBe(1);
    model.rules.splice(0);

    await line.step("a person types a draft", "idle", async () => {
      keys("-l", "half a dra");
      await shows("half a dra");
    });
    await hang("a message beside the draft");
    await interrupt();
    expect(await terminal.capture(at)).toContain("half a dra");
    await line.step("frozen", "unknown", () => process.kill(held.pid ?? 0, "SIGSTOP"));
    await line.step("goes on", "idle", () => process.kill(held.pid ?? 0, "SIGCONT"));

    await hang("work before it loses its terminal");
    const first = pidNow();
    // The first restart is at once, so there is no time in which it is seen dead.
    await line.step(
      "the terminal is taken away, and it is back in a new one",
      "idle",
      async () => {
        const server = spawnSync("tmux", ["-S", at.socket, "display-message", "-p", "#{pid}"], { encoding: "utf8" });
        process.kill(Number(server.stdout), "SIGKILL");
        await listens(first);
      },
      { status: ({ restarts, session_id }) => expect([restarts, session_id]).toEqual([1, held.session_id]) },
    );
    for (const name of ["SIGKILL", "SIGABRT"] as const) {
      await hang("works again");
      const pid = pidNow();
      await line.step(name, "dead", async () => {
        process.kill(pid ?? 0, name);
        await gone(pid);
      });
      await line.step("back in its conversation", "idle", () => listens(pid), {
        status: ({ session_id }) => expect(session_id).toBe(held.session_id),
      });
    }
    await hang("work before the stop");
    await line.step("stopped in a turn", "stopped", () => rig.fleet("stop"));
    await line.step("started again", "idle", async () => {
      const old = pidNow();
      await rig.fleet("start");
      await listens(old);
    });
    await hang("and works");
    await interrupt();
    await line.step("stopped idle", "stopped", () => rig.fleet("stop"));
    line.end();
  });
});
