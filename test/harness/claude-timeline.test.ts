import { spawnSync } from "node:child_process";
import { closeSync, constants, existsSync, openSync, writeSync } from "node:fs";
import { join } from "node:path";

import { afterAll, beforeAll, describe, expect, test } from "vitest";

import type { AgentState } from "../../src/contract/state.ts";
import { evidenceOf } from "../../src/harness/claude/claude.ts";
import { readConversation } from "../../src/harness/claude/place.ts";
import { readSession } from "../../src/harness/claude/registry.ts";
import { wordOf } from "../../src/harness/claude/word.ts";
import { claudeEnv } from "../model/claude-home.ts";
import { startScriptedModel, type ScriptedModel } from "../model/server.ts";
import { makeRig, rosterOf } from "../rig.ts";
import { claudeBin, sign, signsOf } from "./claude-rig.ts";
import { deskOf } from "./desk.ts";
import { timeline } from "./timeline.ts";

let model: ScriptedModel;
beforeAll(async () => {
  model = await startScriptedModel();
});
afterAll(() => model.close());

/** A subscription's token, made up: only to a subscriber does Claude Code say when a limit ends. */
const env = () => {
  const { ANTHROPIC_AUTH_TOKEN: _, ...rest } = claudeEnv(model.url);
  return { ...rest, CLAUDE_CODE_OAUTH_TOKEN: "none", CLAUDE_CODE_MAX_RETRIES: "3" };
};

describe.skipIf(claudeBin === "")("Claude Code through its states, for real", () => {
  test(
    "ps agrees within a second with each of them, and never calls well what is not",
    { timeout: 300_000 },
    async () => {
      const rig = makeRig({ path: claudeBin });
      rig.roster(
        rosterOf(
          `{ name: mos, role: orchestrator, runtime: claude, model: scripted-large, workdir: ~/work, permissions: read, env: ${JSON.stringify(env())} }`,
        ),
      );
      const line = timeline(rig, "mos", "claude");
      const signs = signsOf(rig, "mos", model);
      const { press, shows, showsNot, asked } = signs;
      const send = (text: string) => rig.insist("mos", text);
      type Check = NonNullable<Parameters<typeof line.step>[3]>["status"];
      /** What the adapter read, as long as it is still the same picture. */
      const raw = (wanted: AgentState) => () => {
        const { place } = deskOf(rig, "mos");
        const conversation = readConversation(place.session);
        const session = conversation && readSession(conversation.config, place);
        if (conversation === undefined || session === undefined) return undefined;
        const evidence = evidenceOf(deskOf(rig, "mos"), conversation, session);
        if (wordOf(evidence, Date.now()).state !== wanted) return undefined;
        // Where it ran is no evidence.
        const { transcript_path: _, cwd: __, ...event } = { transcript_path: "", cwd: "", ...evidence.event?.event };
        return { ...evidence, ...(evidence.event && { event: { ...evidence.event, event } }) };
      };
      const step = (name: string, wanted: AgentState, act: () => unknown, status?: Check) =>
        line.step(name, wanted, act, { raw: raw(wanted), ...(status && { status }) });
      const isWell: Check = (agent) => expect([agent.why, agent.until]).toEqual([null, null]);
      /** A turn that does not end by itself. */
      const works = (name: string, text: string, status?: Check) =>
        step(
          name,
          "working",
          async () => {
            await send(`${text} [[hang]]`);
            await asked(text, "open");
          },
          status ?? isWell,
        );
      const breaksOff = (name: string, text: string, status?: Check) =>
        step(
          name,
          "idle",
          async () => {
            press("Escape");
            await asked(text, "aborted");
          },
          status ?? isWell,
        );
      const loseDaemon = async () => {
        const pid = rig.daemonPid();
        if (pid === undefined) return;
        process.kill(pid, "SIGTERM");
        await sign("the daemon's end", () => (signs.process(pid) === "gone" ? true : undefined));
      };
      const gone = (pid: number) => () => (["gone", "Z"].includes(signs.process(pid)) ? true : undefined);
      const ends = async (how: (pid: number) => unknown) => {
        const pid = signs.pid();
        await how(pid);
        await sign("the process's end", gone(pid));
      };
      /** A new process that says of itself that it is idle. */
      const comesBack = (before: number) =>
        sign("another process, idle", () => {
          const pid = signs.pid();
          return pid !== before && signs.record(pid)?.status === "idle" ? pid : undefined;
        });
      const begins = async () => expect((await rig.fleet("start")).code).toBe(0);

      await step("declared", "stopped", () => undefined);
      await step("started", "idle", begins, isWell);
      const first = await rig.agent("mos");
      const untouched: Check = (agent) => expect([agent.pid, agent.restarts]).toEqual([first.pid, 0]);

      await works("a turn", "TURN");
      await breaksOff("broken off by a person", "TURN");
      const fifo = join(rig.root, "work", "fifo");
      expect(spawnSync("mkfifo", [fifo]).status).toBe(0);
      let writer = -1;
      await step("a tool runs", "working", async () => {
        await send("TOOL [[bash cat fifo]] [[say read]]");
        writer = await sign("the tool reading", () => {
          try {
            return openSync(fifo, constants.O_WRONLY | constants.O_NONBLOCK);
          } catch {
            return undefined;
          }
        });
      });
      await step(
        "the tool has ended, the turn too",
        "idle",
        async () => {
          writeSync(writer, "enough\n");
          closeSync(writer);
          await asked("TOOL", "sent", 2);
        },
        isWell,
      );

      const asksToTouch = (name: string) =>
        step(
          `a permission is asked for: ${name}`,
          "waiting-permission",
          async () => {
            await send(`PERMIT-${name} [[bash touch ${name}]] [[hang]]`);
            await shows("Do you want to proceed?");
          },
          (agent) => expect(agent.why).toBe(`permission prompt: Bash touch ${name}`),
        );
      await asksToTouch("one");
      await step("allowed: on it goes", "working", async () => {
        press("Enter");
        await asked("PERMIT-one", "open", 2);
        expect(existsSync(join(rig.root, "work", "one"))).toBe(true);
      });
      await breaksOff("broken off after a permission", "PERMIT-one");
      await asksToTouch("two");
      await step(
        "denied by a person",
        "idle",
        async () => {
          press("Escape");
          await showsNot("Do you want to proceed?");
        },
        isWell,
      );
      await asksToTouch("three");
      await step("a dialog is ended by interrupt", "idle", async () => {
        expect((await rig.fleet("interrupt", "mos")).err).toContain("the turn was ended");
        await showsNot("Do you want to proceed?");
      });
      expect(["two", "three"].filter((name) => existsSync(join(rig.root, "work", name)))).toEqual([]);

      const question = JSON.stringify({
        questions: [
          {
            question: "Which colour?",
            header: "Colour",
            multiSelect: false,
            options: [
              { label: "Red", description: "r" },
              { label: "Blue", description: "b" },
            ],
          },
        ],
      });
      const asksBack = (name: string) =>
        step(
          `it asks back: ${name}`,
          "waiting-input",
          async () => {
            await send(`ASK-${name} [[tool AskUserQuestion ${question}]] [[hang]]`);
            await shows("Enter to select");
          },
          (agent) => expect(agent.why).toBe("input needed: Which colour?"),
        );
      await asksBack("one");
      await step("answered: on it goes", "working", async () => {
        press("Enter");
        await asked("ASK-one", "open", 2);
      });
      await breaksOff("broken off after a question", "ASK-one");
      await asksBack("two");
      await step("the question is put away", "idle", async () => {
        press("Escape");
        await showsNot("Enter to select");
      });

      await step(
        "tries again after a fault",
        "working",
        async () => {
          await send("RETRY [[error 500 1]] [[hang]]");
          await asked("RETRY", "open", 2);
        },
        (agent) => expect(agent.why).toBe("trying again: request 2"),
      );
      await breaksOff("broken off while it tries", "RETRY");
      await step(
        "a fault that goes on",
        "working",
        async () => {
          await send("FAULT [[error 500 99]]");
          await asked("FAULT", "sent", 2);
        },
        (agent) => expect(agent.why).toBe("trying again: request 2"),
      );
      await step(
        "it gives up",
        "idle",
        () => shows("API Error: 500"),
        (agent) => expect(agent.why).toContain("API Error: 500 Scripted error 500"),
      );

      await works("well again after a fault", "WELL");
      await breaksOff("nothing is left of the fault", "WELL");
      await step(
        "the login is refused",
        "auth-failed",
        async () => {
          await send("LOGIN [[error 401 99]]");
          await shows("API Error: 401");
        },
        (agent) => {
          untouched(agent);
          expect(agent.why).toContain("401");
        },
      );
      await works("the login works again", "AGAIN");
      await breaksOff("nothing is left of the refusal", "AGAIN");
      await step(
        "a limit of which nobody says when it ends",
        "limited",
        async () => {
          await send("RATE [[error 429 99]]");
          await shows("temporarily limiting requests");
        },
        (agent) => {
          untouched(agent);
          expect(agent.until).toBe(null);
        },
      );
      await works("on it goes", "ON");
      await breaksOff("nothing is left of that limit", "ON");

      const resetsAt = Math.floor(Date.now() / 1_000) + 7_200;
      model.rules.push({
        when: (ask) => ask.lastUser.includes("QUOTA"),
        steps: [
          () => ({
            error: 429,
            message: "You have hit your limit.",
            headers: {
              "anthropic-ratelimit-unified-status": "rejected",
              "anthropic-ratelimit-unified-reset": String(resetsAt),
              "anthropic-ratelimit-unified-representative-claim": "five_hour",
            },
          }),
        ],
      });
      const limited: Check = (agent) => {
        expect(agent.until).toBe(new Date(resetsAt * 1_000).toISOString());
        expect(agent.why).toContain("You've hit your 5-hour limit");
      };
      await step(
        "a limit with its end",
        "limited",
        async () => {
          await send("QUOTA");
          await shows("resets");
        },
        (agent) => {
          untouched(agent);
          limited(agent);
        },
      );
      await loseDaemon();
      await step("its terminal is taken away", "dead", () => ends(() => signs.tmux("kill-server")));
      await step("the limit is still there after the logout", "limited", begins, limited);
      await step("stopped while limited", "stopped", () => rig.fleet("stop"));
      await step("and after a stop", "limited", begins, limited);
      await works("the limit was lifted", "LIFTED");
      await breaksOff("nothing is left of the limit", "LIFTED");

      model.rules.push({ when: (ask) => ask.lastUser.includes("TEXT ONLY"), steps: [() => ({ hang: true })] });
      const compact = async () => {
        press("-l", "/compact");
        await shows("/compact");
        press("Enter");
      };
      await step(
        "the conversation is being compacted",
        "working",
        async () => {
          await compact();
          await asked("TEXT ONLY", "open");
        },
        (agent) => expect(agent.why).toBe("compacting the conversation"),
      );
      await step("compaction broken off", "idle", async () => {
        press("Escape");
        await asked("TEXT ONLY", "aborted");
        press("C-u");
      });
      model.rules.splice(0);
      await step(
        "compacted",
        "idle",
        async () => {
          await compact();
          await shows("Conversation compacted");
        },
        isWell,
      );

      await works("the model hangs", "HANG");
      for (let at = 0; at < 5; at++) expect((await rig.agent("mos")).state).toBe("working");
      await step("the process is frozen", "unknown", async () => {
        process.kill(signs.pid(), "SIGSTOP");
        await sign("a stopped process", () => (signs.process(signs.pid()) === "T" ? true : undefined));
      });
      await step("it thaws", "working", async () => {
        process.kill(signs.pid(), "SIGCONT");
        await sign("a running process", () => (signs.process(signs.pid()) === "T" ? undefined : true));
      });
      await step("a message in the running turn", "working", () => send("MEANWHILE [[say heard]]"));
      await step("interrupted: what waited is taken up", "idle", async () => {
        await rig.fleet("interrupt", "mos");
        await asked("MEANWHILE", "sent");
      });
      await step("a draft is typed", "idle", async () => {
        press("-l", "half a sen");
        await shows("half a sen");
      });
      await works("a message beside the draft", "BESIDE");
      await breaksOff("the draft is still there", "BESIDE");
      await shows("half a sen");
      press("C-u");

      await works("busy before the kill", "BUSY");
      await step("killed, and back by the daemon", "idle", async () => {
        const pid = signs.pid();
        process.kill(pid, "SIGKILL");
        await comesBack(pid);
      });
      expect((await rig.agent("mos")).session_id).toBe(first.session_id);
      await loseDaemon();
      await step("killed, and nobody restarts it", "dead", () => ends((pid) => process.kill(pid, "SIGKILL")));
      await step("started again", "idle", begins);
      await loseDaemon();
      await works("busy before the crash", "CRASH");
      await step("crashed", "dead", () => ends((pid) => process.kill(pid, "SIGABRT")));
      await step("started after the crash", "idle", begins);
      await loseDaemon();
      await step("hung up", "dead", () => ends((pid) => process.kill(pid, "SIGHUP")));
      await step("started after the hangup", "idle", begins);
      await works("busy before the stop", "STOP");
      await step("stopped in a turn", "stopped", () => rig.fleet("stop"));
      await step("resumed", "idle", begins);
      expect((await rig.agent("mos")).session_id).toBe(first.session_id);
      line.end();
    },
  );
});
