import { spawnSync } from "node:child_process";
import { closeSync, constants, existsSync, openSync, readFileSync, writeSync } from "node:fs";
import { join } from "node:path";

import { afterAll, beforeAll, describe, expect, test } from "vitest";

import type { AgentState } from "../../src/contract/state.ts";
import { converse } from "../../src/harness/opencode/channel.ts";
import { readSession } from "../../src/harness/opencode/session.ts";
import { look, wordOf } from "../../src/harness/opencode/state.ts";
import { writeOpencodeHome } from "../model/opencode-home.ts";
import { startScriptedModel, type ScriptedModel } from "../model/server.ts";
import { makeRig, rosterOf } from "../rig.ts";
import { opencodeBin, sign, signsOf } from "./opencode-rig.ts";
import { timeline } from "./timeline.ts";

let model: ScriptedModel;
beforeAll(async () => {
  model = await startScriptedModel();
});
afterAll(() => model.close());

describe.skipIf(opencodeBin === "")("OpenCode through its states, for real", () => {
  test(
    "ps agrees within a second with each of them, and never calls well what is not",
    { timeout: 400_000 },
    async () => {
      const rig = makeRig({ path: opencodeBin });
      writeOpencodeHome(rig.root, model.url);
      rig.roster(rosterOf("{ name: mos, role: orchestrator, runtime: opencode, workdir: ~/work, permissions: read }"));
      const signs = signsOf(rig, model);
      const { press, shows, showsNot, asked, escape } = signs;

      /** What the adapter reads, as long as it is still the same picture. */
      const rawOf = (wanted: string) => async () => {
        const session = readSession(rig.place("mos").session);
        if (session === undefined) return undefined;
        const password = readFileSync(join(rig.place("mos").dir, "password"), "utf8");
        const seen = await converse({ url: session.url, password }, 500, (line) => look(line, session.id));
        return seen === undefined || seen === "silent" || wordOf(seen).state !== wanted
          ? undefined
          : { ...seen, messages: seen.messages.map(({ info }) => ({ info })) };
      };
      const line = timeline(rig, "mos", "opencode");
      type Check = NonNullable<Parameters<typeof line.step>[3]>["status"];
      /**
       * After a start, in its first turn, and now and then on a busy machine, OpenCode's loop stands still for up to 2 s
       * (seen). All that can be said of it then is `unknown`, so the second is counted from its next prompt answers.
       */
      const calm = () =>
        sign("a server that answers at once", async () => {
          const session = readSession(rig.place("mos").session);
          if (session?.pid !== signs.pid()) return undefined;
          for (let at = 0; at < 3; at++) {
            const since = Date.now();
            const answer = await fetch(`${session.url}/global/health`).catch(() => undefined);
            if (answer === undefined || Date.now() - since > 150) return undefined;
          }
          return true;
        });
      const step = (name: string, wanted: AgentState, act: () => unknown, status?: Check) => {
        const answers = ["stopped", "dead", "unknown"].includes(wanted) ? undefined : calm;
        const acted = async () => {
          await act();
          await answers?.();
        };
        return line.step(name, wanted, acted, {
          raw: rawOf(wanted),
          ...(status && { status }),
          ...(answers && { answers }),
        });
      };
      const isWell: Check = (agent) => expect([agent.why, agent.until]).toEqual([null, null]);
      const because =
        (why: string | RegExp): Check =>
        (agent) =>
          expect(agent.why).toMatch(why);

      const send = (text: string) => rig.insist("mos", text);
      /** A turn that does not end by itself. */
      const works = (name: string, text: string) =>
        step(
          name,
          "working",
          async () => {
            await send(`${text} [[hang]]`);
            await asked(text, "open");
          },
          isWell,
        );
      const breaksOff = (name: string, text: string) =>
        step(
          name,
          "idle",
          async () => {
            await escape();
            await asked(text, "aborted");
          },
          isWell,
        );
      const loseDaemon = async () => {
        const pid = rig.daemonPid();
        if (pid === undefined) return;
        process.kill(pid, "SIGTERM");
        await signs.gone(pid);
      };
      const ends = async (how: (pid: number) => unknown) => {
        const pid = signs.pid();
        how(pid);
        await signs.gone(pid);
      };
      const begins = async () => expect((await rig.fleet("start")).code).toBe(0);

      await step("declared", "stopped", () => undefined);
      let session: string | null = null;
      await step("started", "idle", begins, (agent) => {
        isWell?.(agent);
        expect(agent.session_id).not.toBe(null);
        session = agent.session_id;
      });
      const isItself: Check = (agent) => expect(agent.session_id).toBe(session);
      const first = await rig.agent("mos");
      const untouched: Check = (agent) => expect([agent.pid, agent.restarts]).toEqual([first.pid, 0]);

      await works("a turn", "TURN");
      await breaksOff("broken off by a person", "TURN");

      const fifo = join(rig.root, "work", "fifo");
      expect(spawnSync("mkfifo", [fifo]).status).toBe(0);
      await step(
        "a permission is asked for",
        "waiting-permission",
        async () => {
          await send("TOOL [[bash cat fifo]] [[say read]]");
          await shows("Permission required");
        },
        (agent) => expect(agent.why).toBe("permission: bash cat fifo"),
      );
      let writer = -1;
      await step(
        "allowed: the tool runs",
        "working",
        async () => {
          press("Enter");
          writer = await sign("the tool reading", () => {
            try {
              return openSync(fifo, constants.O_WRONLY | constants.O_NONBLOCK);
            } catch {
              return undefined;
            }
          });
        },
        isWell,
      );
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
            await shows("Permission required");
          },
          (agent) => expect(agent.why).toBe(`permission: bash touch ${name}`),
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
          await showsNot("Permission required");
        },
        isWell,
      );
      await asksToTouch("three");
      await step("a dialog is ended by interrupt", "idle", async () => {
        expect((await rig.fleet("interrupt", "mos")).err).toContain("the turn was ended");
        await showsNot("Permission required");
      });
      expect(["two", "three"].filter((name) => existsSync(join(rig.root, "work", name)))).toEqual([]);

      const options = ["Red", "Blue"].map((label) => ({ label, description: label }));
      const question = JSON.stringify({ questions: [{ question: "Which colour?", header: "Colour", options }] });
      const asksBack = (name: string) =>
        step(
          `it asks back: ${name}`,
          "waiting-input",
          async () => {
            await send(`ASK-${name} [[tool question ${question}]] [[hang]]`);
            await shows("esc dismiss");
          },
          (agent) => expect(agent.why).toBe("Which colour?"),
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
        await showsNot("esc dismiss");
      });

      await step(
        "tries again after a fault",
        "working",
        async () => {
          await send("RETRY [[error 500 1 8]] [[say done]]");
          await asked("RETRY", "sent");
        },
        because(/^trying again \(1\): Scripted error 500$/),
      );
      await step("the second try went well", "idle", () => asked("RETRY", "sent", 2), isWell);
      await step(
        "a fault that goes on",
        "working",
        async () => {
          await send("FAULT [[error 500 99 3]]");
          await asked("FAULT", "sent", 2);
        },
        because(/^trying again \(\d\): Scripted error 500$/),
      );
      // Five more tries after the first.
      await step("it gives up", "idle", () => asked("FAULT", "sent", 6), because("Scripted error 500"));

      await works("well again after a fault", "WELL");
      await breaksOff("nothing is left of the fault", "WELL");
      await step(
        "the login is refused",
        "auth-failed",
        async () => {
          await send("LOGIN [[error 401 99]]");
          await asked("LOGIN", "sent");
        },
        (agent) => {
          untouched?.(agent);
          expect(agent.why).toBe("Scripted error 401");
        },
      );
      await step("stopped, its login refused", "stopped", () => rig.fleet("stop"));
      await step("the login is still refused", "auth-failed", begins, because("Scripted error 401"));
      await works("the login works again", "AGAIN");
      await breaksOff("nothing is left of the refusal", "AGAIN");

      const second = await rig.agent("mos");
      const leftAlone: Check = (agent) => expect([agent.pid, agent.restarts]).toEqual([second.pid, second.restarts]);
      await step(
        "a limit with its end",
        "limited",
        async () => {
          await send("QUOTA [[error 429 99 7200]]");
          await asked("QUOTA", "sent");
        },
        (agent) => {
          leftAlone?.(agent);
          const minutes = (Date.parse(agent.until ?? "") - Date.now()) / 60_000;
          expect([Math.round(minutes), agent.why]).toEqual([120, "Scripted error 429"]);
        },
      );
      await step(
        "broken off while limited",
        "idle",
        async () => {
          await escape();
          await showsNot("again to interrupt");
        },
        isWell,
      );
      await step(
        "a limit of which nobody says when it ends, given up on",
        "limited",
        async () => {
          await send("RATE [[error 429 99 0]]");
          await asked("RATE", "sent", 6);
        },
        (agent) => {
          leftAlone?.(agent);
          expect([agent.why, agent.until]).toEqual(["Scripted error 429", null]);
        },
      );
      await loseDaemon();
      await step("its terminal is taken away", "dead", () => ends(() => signs.tmux("kill-server")));
      await step("the limit is still there after the logout", "limited", begins, because("Scripted error 429"));
      await works("the limit was lifted", "LIFTED");
      await breaksOff("nothing is left of the limit", "LIFTED");

      let summaries = 0;
      const summary = { hang: true } as const;
      model.rules.push({
        side: true,
        when: () => true,
        steps: [
          () => {
            summaries += 1;
            return summary;
          },
        ],
      });
      const compact = async () => {
        press("-l", "/compact");
        await shows("Compact session");
        press("Enter");
      };
      await step(
        "the conversation is being compacted",
        "working",
        async () => {
          await compact();
          await sign("a summary asked of the model", () => (summaries > 0 ? true : undefined));
        },
        because("compacting the conversation"),
      );
      await step("compaction broken off", "idle", async () => {
        await escape();
        await showsNot("again to interrupt");
      });
      model.rules.splice(0);
      await step(
        "compacted",
        "idle",
        async () => {
          await compact();
          await shows("Side request summary");
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

      await works("busy before the kill", "BUSY");
      const before = signs.pid();
      await step(
        "killed, and back by the daemon",
        "idle",
        async () => {
          process.kill(before, "SIGKILL");
          await sign("another process", () => (signs.pid() === before ? undefined : true));
        },
        isItself,
      );
      await loseDaemon();
      await step("killed, and nobody restarts it", "dead", () => ends((pid) => process.kill(pid, "SIGKILL")));
      await step("started again", "idle", begins);
      await loseDaemon();
      await works("busy before the crash", "CRASH");
      await step("crashed", "dead", () => ends((pid) => process.kill(pid, "SIGABRT")));
      await step("started after the crash", "idle", begins);
      await works("busy before the stop", "STOP");
      await step("stopped in a turn", "stopped", () => rig.fleet("stop"));
      await step("resumed", "idle", begins, isItself);
      line.end();
    },
  );
});
