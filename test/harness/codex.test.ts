import { spawnSync } from "node:child_process";
import { readFileSync, existsSync, readdirSync, readlinkSync } from "node:fs";
import { networkInterfaces } from "node:os";
import { join } from "node:path";
import { stripVTControlCharacters } from "node:util";

import { afterAll, beforeAll, describe, expect, test } from "vitest";

import { converse } from "../../src/harness/codex/channel.ts";
import { codex } from "../../src/harness/codex/codex.ts";
import { readSession } from "../../src/harness/codex/session.ts";
import { markedProcesses } from "../../src/lib/proc.ts";
import { comes } from "../comes.ts";
import { echoOf } from "../model/script.ts";
import { startScriptedModel, type ScriptedModel } from "../model/server.ts";
import { framed, type Rig } from "../rig.ts";
import { hundredTexts } from "../texts.ts";
import {
  agentOf,
  answered,
  codexBin,
  conversation,
  isIdle,
  screenShows,
  setUp as layAndStart,
  typeKeys,
} from "./codex-rig.ts";
import { deskOf } from "./desk.ts";

let model: ScriptedModel;
beforeAll(async () => {
  model = await startScriptedModel();
});
afterAll(() => model.close());

const setUp = (...agents: string[]) => layAndStart(model.url, ...agents);

// Without the CLI in .cache/ there is nothing to test; the lane says so loudly, and with CI=true it fails.
describe.skipIf(codexBin === "")("Codex, for real", () => {
  test("the network is cut off, where it could be", () => {
    const links = Object.keys(networkInterfaces());
    if (process.env["CI"] === "true") expect(links).toEqual(["lo"]);
  });

  test("starts on a fresh home without a dialog, ready by its own word, reports itself, and beats", async () => {
    const rig = await setUp();
    const agent = await rig.agent("mos");
    expect(agent).toMatchObject({
      state: "idle",
      runtime: "codex",
      model: "scripted-large",
      version: "0.169.0",
      restarts: 0,
      drift: [],
    });
    expect(agent.evidence.source).toBe("native");
    expect(agent.session_id).toBe(readSession(rig.place("mos").session)?.id);
    const beating = await rig.settled("mos", (one) => one.heartbeat.health === "healthy");
    expect(beating.heartbeat.pid).toBe(agent.pid);
    expect(await screenShows(rig, "scripted-large")).toBe(true);
  });

  test("100 messages, of every shape, each with Codex's receipt: each is there once, byte for byte, in order", async () => {
    const rig = await setUp();
    const texts = hundredTexts();
    for (const [at, text] of texts.entries()) {
      const receipt = await codex.submit(deskOf(rig, "mos"), { id: `m${at}`, text, mode: "next" });
      expect(["delivered", "queued"]).toContain(receipt.state);
    }
    await answered(rig, "mos", 100);
    await isIdle(rig);
    expect(conversation(rig, "mos", "user")).toEqual(texts);
    expect(conversation(rig, "mos", "agent")).toEqual(texts.map((text) => echoOf(text)));
  });

  test("the same id twice is delivered once, also after a restart", async () => {
    const rig = await setUp();
    const message = { id: "same", text: "only once", mode: "next" } as const;
    expect((await codex.submit(deskOf(rig, "mos"), message)).state).toBe("delivered");
    expect((await codex.submit(deskOf(rig, "mos"), message)).state).toBe("delivered");
    await isIdle(rig);
    await rig.fleet("restart", "mos");
    expect((await codex.submit(deskOf(rig, "mos"), message)).state).toBe("delivered");
    expect(conversation(rig, "mos", "user")).toEqual(["only once"]);
  });

  test("a person's half-typed draft survives a delivery", async () => {
    const rig = await setUp();
    await screenShows(rig, "scripted-large");
    typeKeys(rig, "-l", "my half-typed dra");
    await screenShows(rig, "my half-typed dra");
    await rig.fleet("send", "mos", "a message meanwhile");
    await answered(rig, "mos", 1);
    await isIdle(rig);
    typeKeys(rig, "-l", "ft");
    await screenShows(rig, "my half-typed draft");
    typeKeys(rig, "Enter");
    await answered(rig, "mos", 2);
    expect(conversation(rig, "mos", "user")).toEqual(["a message meanwhile", "my half-typed draft"]);
  });

  test("the program that opened the conversation leaves the terminal as the view has set it", async () => {
    const rig = await setUp();
    await screenShows(rig, "scripted-large");
    const { dir, terminal: socket } = rig.place("mos");
    const openers = () =>
      readdirSync("/proc").filter((pid) => {
        try {
          const line = readFileSync(`/proc/${pid}/cmdline`, "utf8");
          return line.includes("codex-opener.js\0") && line.includes(`${dir}/desk.json`) && !line.startsWith("/bin/sh");
        } catch {
          return false;
        }
      });
    expect(openers()).toHaveLength(1); // it stays beside the view for a while
    await expect.poll(openers, { timeout: 40_000 }).toEqual([]);
    // Line by line, as Node had found it, no key but Enter would reach the view.
    const { stdout: tty } = spawnSync("tmux", ["-S", socket, "display", "-p", "-t", "=mos:", "#{pane_tty}"], {
      encoding: "utf8",
    });
    expect(spawnSync("stty", ["-a", "-F", tty.trim()], { encoding: "utf8" }).stdout).toContain(" -icanon ");
  });

  test("busy: next waits for the turn's end, steer comes before it, interrupt ends the turn", async () => {
    const rig = await setUp();
    await rig.fleet("send", "mos", "one [[bash sleep 2]] [[say first]]");
    await rig.settled("mos", (agent) => agent.state === "working");
    expect((await rig.fleet("send", "mos", "later")).err).toContain("accepted: it is kept; it is in its queue");
    expect((await rig.fleet("send", "mos", "--steer", "sooner")).code).toBe(0);
    await comes(() => conversation(rig, "mos", "user").length === 3 || undefined, { withinMs: 30_000 });
    expect(conversation(rig, "mos", "user").slice(1)).toEqual(["sooner", "later"]);
    await isIdle(rig);
    await rig.fleet("send", "mos", "and now [[hang]]");
    await rig.settled("mos", (agent) => agent.state === "working");
    expect((await rig.fleet("interrupt", "mos")).err).toContain("the turn was ended");
    await isIdle(rig);
    expect((await rig.fleet("interrupt", "mos")).err).toContain("nothing to interrupt");
  });

  test("an interruption leaves Codex's queue lying; a message behind it begins it, a person's own alone stays", async () => {
    const rig = await setUp();
    const desk = deskOf(rig, "mos");
    const say = (id: string, text: string) => codex.submit(desk, { id, text, mode: "next" });
    const stuck = async (id: string) => {
      await say(id, `${id} [[hang]]`);
      await rig.settled("mos", (agent) => agent.state === "working");
    };
    await stuck("one");
    await say("a", "waits");
    expect(await codex.interrupt(desk)).toBe("the turn was ended");
    await say("b", "comes later");
    await answered(rig, "mos", 2);
    expect(said(rig)).toEqual(["one [[hang]]", "waits", "comes later"]);
    await stuck("two");
    const threadId = readSession(rig.place("mos").session)?.id ?? "";
    const own = { threadId, input: [{ type: "text", text: "a person's" }], clientUserMessageId: "theirs" };
    const ask = <T>(method: string, params: object) =>
      converse(rig.place("mos").inbox, 5_000, (line) => line.call<T>(method, params));
    await ask("thread/queue/add", own);
    await codex.interrupt(desk);
    await codex.goOn?.(desk);
    expect(await ask("thread/queue/list", { threadId, limit: 5 })).toMatchObject({
      data: [{ clientUserMessageId: "theirs" }],
    });
    await say("c", "ours behind it");
    await answered(rig, "mos", 4);
    expect(said(rig).slice(3)).toEqual(["two [[hang]]", "a person's", "ours behind it"]);
  });

  test("kill -9 of the server: back by itself in its own conversation, with what waited and one view", async () => {
    const rig = await setUp();
    await rig.fleet("send", "mos", "remember this");
    await answered(rig, "mos", 1);
    const before = await isIdle(rig);
    await rig.fleet("send", "mos", "stuck [[hang]]");
    await rig.settled("mos", (agent) => agent.state === "working");
    expect((await rig.fleet("send", "mos", "kept through a crash")).err).toContain(
      "accepted: it is kept; it is in its queue",
    );
    process.kill(before.pid ?? 0, "SIGKILL");
    await rig.settled("mos", (agent) => agent.restarts === 1 && agent.state !== "starting");
    await comes(() => conversation(rig, "mos", "user").includes("kept through a crash") || undefined, {
      withinMs: 15_000,
    });
    const after = await isIdle(rig);
    expect([after.restarts, after.session_id]).toEqual([1, before.session_id]);
    await rig.fleet("send", "mos", "and now");
    await answered(rig, "mos", 4);
    const isTakeUp = (text: string) => /^Message \S+-again from mosaic, /.test(text);
    expect(said(rig).filter((text) => !isTakeUp(text))).toEqual([
      "remember this",
      "stuck [[hang]]",
      "kept through a crash",
      "and now",
    ]);
    expect(said(rig).filter(isTakeUp)).toHaveLength(1);
    const shown = model
      .asks()
      .some(({ ask }) => ask.lastUser === "and now" && ask.turns.some((turn) => turn.text === "remember this"));
    expect(shown).toBe(true);
    await screenShows(rig, "scripted-large");
    expect(views(rig)).toHaveLength(1);
  });

  test("kill -9 of the view alone: the running turn goes on, and a new view shows it", async () => {
    const rig = await setUp();
    await screenShows(rig, "scripted-large");
    const before = await rig.agent("mos");
    await rig.fleet("send", "mos", "work [[bash sleep 2]] [[say it went on]]");
    const [view] = views(rig);
    process.kill(view ?? 0, "SIGKILL");
    await answered(rig, "mos", 1);
    expect(await rig.agent("mos")).toMatchObject({ pid: before.pid, restarts: 0 });
    expect(await screenShows(rig, "it went on")).toBe(true);
    await comes(() => (views(rig).length === 1 && views(rig)[0] !== view ? true : undefined), { withinMs: 20_000 });
  });

  test("a view that joins, at the start or later, does not make the server load the conversation anew: a turn would die of it", async () => {
    const rig = await setUp(agentOf("mos", ", env: { RUST_LOG: info }"));
    await screenShows(rig, "scripted-large");
    await rig.fleet("send", "mos", "one");
    await answered(rig, "mos", 1);
    await isIdle(rig);
    const [view] = views(rig);
    process.kill(view ?? 0, "SIGKILL");
    await comes(() => (views(rig).length === 1 && views(rig)[0] !== view ? true : undefined), { withinMs: 20_000 });
    await rig.fleet("send", "mos", "two [[say shown by the new view]]");
    expect(await screenShows(rig, "shown by the new view")).toBe(true);
    const log = stripVTControlCharacters(readFileSync(join(rig.place("mos").dir, "app-server.log"), "utf8"));
    const joined = log
      .split("\n")
      .filter((line) => line.includes('rpc.method="thread/resume"') && line.endsWith(": new"));
    expect(joined.filter((line) => line.includes('"unix_socket"')).length).toBeGreaterThanOrEqual(4);
    expect(log).not.toContain('codex.op="shutdown"');
  });

  test("a frozen Codex is unknown at once, never idle and never healthy", async () => {
    const rig = await setUp();
    const { pid } = await rig.settled("mos", (agent) => agent.heartbeat.health === "healthy");
    process.kill(pid ?? 0, "SIGSTOP");
    const frozen = await rig.settled("mos", (agent) => agent.state === "unknown");
    expect(frozen.heartbeat.health).toBe("stale");
    expect((await codex.ask(deskOf(rig, "mos"), 300)).kind).toBe("silent");
    process.kill(pid ?? 0, "SIGCONT");
    await isIdle(rig);
  });

  test("a login that is refused and a limit are said, not shown as idle", async () => {
    const rig = await setUp();
    await rig.fleet("send", "mos", "no login [[error 401 9]]");
    await rig.settled("mos", (agent) => agent.state === "auth-failed");
    expect((await rig.fleet("send", "mos", "later")).err).toContain("held: it is not logged in at its provider");
    await rig.insist("mos", "again");
    await isIdle(rig);
    await rig.fleet("send", "mos", "limit [[error 429 9]]");
    await rig.settled("mos", (agent) => agent.state === "limited");
  });

  test("what goes beyond the floor waits for permission, and is not done without it", async () => {
    const rig = await setUp(agentOf("mos", ", permissions: read"));
    await screenShows(rig, "scripted-large");
    const ask = { cmd: "touch no", sandbox_permissions: "require_escalated", justification: "May I?" };
    await rig.fleet("send", "mos", `try [[tool exec_command ${JSON.stringify(ask)}]]`);
    await rig.settled("mos", (agent) => agent.state === "waiting-permission");
    expect(existsSync(join(rig.root, "work/no"))).toBe(false);
    await rig.fleet("interrupt", "mos");
    await isIdle(rig);
    expect(existsSync(join(rig.root, "work/no"))).toBe(false);
  });

  test("the permission floor: read runs the shell in Codex's sandbox, which writes nothing; edit writes in its folder", async () => {
    const rig = await setUp(agentOf("mos"), agentOf("re", ", permissions: read"), agentOf("ed", ", permissions: edit"));
    // A view that has come up must not have changed it.
    for (const name of ["re", "ed"]) await screenShows(rig, "scripted-large", name);
    await rig.fleet("send", "re", "try [[bash cat /etc/hostname; touch no; mosaic fleet send mos hi]]");
    await rig.fleet("send", "ed", "try [[bash touch yes; touch /etc/mosaic-no; mosaic fleet send mos hi]]");
    await answered(rig, "re", 1);
    await answered(rig, "ed", 1);
    expect(existsSync(join(rig.root, "work/no"))).toBe(false);
    expect(existsSync(join(rig.root, "work/yes"))).toBe(true);
    expect(existsSync("/etc/mosaic-no")).toBe(false);
    // Who may write nothing cannot keep a message either: its own shell cannot report without asking.
    expect(conversation(rig, "mos", "user").filter((text) => text.includes(" from re, "))).toEqual([]);
  });

  test("its model is told who it is, and keeps its role", async () => {
    const rig = await setUp(agentOf("mos", ', prompt: "You guard the CANARY."'));
    await rig.fleet("restart", "mos");
    await rig.fleet("send", "mos", "who are you");
    await answered(rig, "mos", 1);
    const { system } = model.asks().findLast(({ ask }) => ask.lastUser === "who are you")?.ask ?? { system: "" };
    expect(system).toContain('You are mos, the orchestrator in the fleet "acme".');
    expect(system).toContain("You guard the CANARY.");
  });

  test("stop in the middle of a turn saves, and leaves no process and no socket", async () => {
    const rig = await setUp();
    const socket = readlinkSync(rig.place("mos").inbox);
    await rig.fleet("send", "mos", "before the end");
    await answered(rig, "mos", 1);
    await rig.fleet("send", "mos", "stuck [[hang]]");
    await rig.settled("mos", (agent) => agent.state === "working");
    expect((await rig.fleet("stop")).out).toMatch(/mos +stopped/);
    expect(markedProcesses([`MOSAIC_HOME=${rig.home.root}`, "MOSAIC_AGENT=mos"])).toEqual([]);
    expect(existsSync(socket)).toBe(false);
    expect(readdirSync(rig.home.sockets)).not.toContain("mos.inbox");
    expect(await rig.agent("mos")).toMatchObject({ state: "stopped", pid: null });
    await rig.fleet("start");
    await rig.fleet("send", "mos", "after it");
    await answered(rig, "mos", 2);
    expect(said(rig)).toEqual(["before the end", "stuck [[hang]]", "after it"]);
  });

  test("worker to orchestrator and back, through the product's own send, by each agent's own token", async () => {
    const rig = await setUp(agentOf("mos"), agentOf("co"));
    const ask = `[[bash mosaic fleet send co 'count [[bash mosaic fleet send mos counted]]']]`;
    expect((await rig.fleet("send", "mos", `please ${ask}`)).code).toBe(0);
    await expect
      .poll(() => conversation(rig, "mos", "user").some((text) => framed(text) === "counted"), { timeout: 30_000 })
      .toBe(true);
    expect(conversation(rig, "co", "user")[0]).toMatch(/^Message \S+ from mos, another agent/);
    await rig.fleet("send", "co", "do [[bash mosaic fleet stop mos]]");
    await comes(
      async () => (await rig.fleet("tail", "co")).out.includes("a worker may send and look, not stop") || undefined,
      { withinMs: 20_000 },
    );
    expect((await rig.agent("mos")).state).not.toBe("stopped");
    expect((await rig.fleet("tail", "co")).out).toContain("a worker may send and look, not stop");
  });
});

/** What was said to it, without Codex's own notes. */
const said = (rig: Rig): string[] => conversation(rig, "mos", "user").filter((text) => !text.startsWith("<"));

/** The processes that show the agent's conversation in its terminal. */
const views = (rig: Rig): number[] =>
  markedProcesses([`MOSAIC_HOME=${rig.home.root}`, "MOSAIC_AGENT=mos"]).filter((pid) => {
    try {
      const words = readFileSync(`/proc/${pid}/cmdline`, "utf8").split("\0");
      return words.includes("--remote") && !(words[0] ?? "").endsWith("sh");
    } catch {
      return false;
    }
  });
