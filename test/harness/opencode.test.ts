import { spawnSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { networkInterfaces } from "node:os";
import { join } from "node:path";

import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest";

import { opencode } from "../../src/harness/opencode/opencode.ts";
import { answer, permissions } from "../../src/harness/opencode/permissions.ts";
import { readSession } from "../../src/harness/opencode/session.ts";
import { markedProcesses } from "../../src/lib/proc.ts";
import { quote } from "../../src/lib/quote.ts";
import { writeOpencodeHome } from "../model/opencode-home.ts";
import { echoOf } from "../model/script.ts";
import { startScriptedModel, type ScriptedModel } from "../model/server.ts";
import { bin, framed, makeRig, rosterOf, type Rig } from "../rig.ts";
import { hundredTexts } from "../texts.ts";
import { deskOf, terminal } from "./desk.ts";
import { opencodeBin } from "./opencode-rig.ts";

let model: ScriptedModel;
beforeAll(async () => {
  model = await startScriptedModel();
});
afterAll(() => model.close());

const agentOf = (name: string, more = "") =>
  `{ name: ${name}, role: ${name === "mos" ? "orchestrator" : "worker"}, runtime: opencode, workdir: ~/work${more} }`;

/** A start costs 8 s of a core and 630 MB, so cases that do not disturb each other share an agent. */
async function setUp(...agents: string[]) {
  const rig = makeRig({ path: opencodeBin });
  // What a person may have set for themselves: an agent's floor must win over it.
  writeOpencodeHome(rig.root, model.url, { permission: { bash: "allow", edit: "allow" }, shell: "/bin/bash" });
  rig.roster(rosterOf(...(agents.length === 0 ? [agentOf("mos")] : agents)));
  const started = await rig.fleet("start");
  expect([started.code, started.err]).toEqual([0, "Next: mosaic fleet ps\n"]);
  return rig;
}

/** The conversation as OpenCode itself wrote it down. */
const conversation = async (rig: Rig, name: string, who: "user" | "agent" | "tool"): Promise<string[]> =>
  (await opencode.tail(deskOf(rig, name), Infinity)).filter((said) => said.who === who).map((said) => said.text);
const has = (rig: Rig, name: string, who: "user" | "agent" | "tool", is: (text: string) => boolean) =>
  expect.poll(async () => (await conversation(rig, name, who)).some(is), { timeout: 30_000 }).toBe(true);
const answered = (rig: Rig, name: string, text: string) =>
  has(rig, name, "agent", (said) => said.trim() === echoOf(text).trim());
const isIdle = (rig: Rig, name = "mos") => rig.settled(name, (agent) => agent.state === "idle");
const isWorking = (rig: Rig, name = "mos") => rig.settled(name, (agent) => agent.state === "working");
const screenShows = async (at: { name: string; socket: string }, text: string) =>
  expect.poll(() => terminal.capture(at), { timeout: 20_000 }).toContain(text);
const terminalOf = (rig: Rig, name = "mos") => ({ name, socket: rig.place(name).terminal });
const press = (at: { name: string; socket: string }, ...keys: string[]) =>
  spawnSync("tmux", ["-S", at.socket, "send-keys", "-t", `=${at.name}:`, ...keys]);
const agentsProcesses = (rig: Rig, name: string) =>
  markedProcesses([`MOSAIC_HOME=${rig.home.root}`, `MOSAIC_AGENT=${name}`]);

// Without the CLI in .cache/ there is nothing to test; the lane says so loudly, and with CI=true it fails.
describe.skipIf(opencodeBin === "")("OpenCode, for real", () => {
  test("the network is cut off, where it could be", () => {
    const links = Object.keys(networkInterfaces());
    if (process.env["CI"] === "true") expect(links).toEqual(["lo"]);
  });

  test("starts on a fresh home without a dialog, ready by its own word; reports itself, beats, and can be looked at", async () => {
    const rig = await setUp(agentOf("mos", ', prompt: "You guard the CANARY.", env: { SHELL: /bin/sh }'));
    const agent = await rig.agent("mos");
    expect(agent).toMatchObject({
      state: "idle",
      runtime: "opencode",
      model: "scripted/scripted-large",
      version: "1.18.33",
      restarts: 0,
      drift: [],
    });
    expect(agent.evidence.source).toBe("native");
    const session = readSession(rig.place("mos").session);
    expect(agent.session_id).toBe(session?.id);
    const beating = await rig.settled("mos", (one) => one.heartbeat.health === "healthy");
    expect(beating.heartbeat.pid).toBe(agent.pid);
    expect((await rig.fleet("verify")).code).toBe(0);
    // Its terminal shows the very conversation that messages go to.
    await screenShows(terminalOf(rig), "mos");

    // Nobody without the password gets in, and no command line shows it.
    const file = join(rig.place("mos").dir, "password");
    const password = readFileSync(file, "utf8");
    expect(statSync(file).mode & 0o777).toBe(0o600);
    expect((await fetch(`${session?.url}/session`)).status).toBe(401);
    const lines = readdirSync("/proc").flatMap((pid) => {
      try {
        return /^\d+$/.test(pid) ? [readFileSync(`/proc/${pid}/cmdline`, "utf8")] : [];
      } catch {
        return [];
      }
    });
    expect(lines.filter((line) => line.includes(password))).toEqual([]);

    // A person's draft survives a delivery; what was sent arrives as it was written.
    press(terminalOf(rig), "-l", "my half-typed dra");
    await screenShows(terminalOf(rig), "my half-typed dra");
    const text = "line one\n\n  line three; $(id) `x` 'q' \"d\"\n";
    const sent = await rig.mosaic(["fleet", "send", "mos", "-"], { input: text });
    expect([sent.code, sent.err]).toEqual([0, expect.stringContaining("delivered: it is in the conversation")]);
    await answered(rig, "mos", text);
    await isIdle(rig);
    press(terminalOf(rig), "-l", "ft");
    await screenShows(terminalOf(rig), "my half-typed draft");
    press(terminalOf(rig), "Enter");
    await answered(rig, "mos", "my half-typed draft");
    expect(await conversation(rig, "mos", "user")).toEqual([text, "my half-typed draft"]);
    const { system } = model.asks().findLast(({ ask }) => ask.lastUser === text)?.ask ?? { system: "" };
    expect(system).toContain('You are mos, the orchestrator in the fleet "acme".');
    expect(system).toContain("You guard the CANARY.");

    // attach shows its screen and takes keys; watch shows it and takes none.
    const viewer = (verb: "attach" | "watch") => {
      const at = { name: verb, socket: join(rig.root, `${verb}.tmux`) };
      const line = ["env", "-u", "TMUX", process.execPath, bin, "fleet", verb, "mos"].map(quote).join(" ");
      const size = ["-x", "160", "-y", "40"];
      spawnSync("tmux", ["-u", "-S", at.socket, "-f", "/dev/null", "new-session", "-d", "-s", verb, ...size, line], {
        env: { ...rig.env, TERM: "tmux-256color" },
      });
      onTestFinished(() => void spawnSync("tmux", ["-S", at.socket, "kill-server"]));
      return at;
    };
    const attached = viewer("attach");
    await screenShows(attached, "my half-typed draft");
    press(attached, "-l", "typed while attached");
    await screenShows(terminalOf(rig), "typed while attached");
    press(attached, "C-b", "d");
    const watched = viewer("watch");
    await screenShows(watched, "typed while attached");
    press(watched, "-l", "NOT TAKEN");
    // Keys are taken in order: what is typed inside afterwards has come without them.
    press(terminalOf(rig), "-l", " and more");
    await screenShows(watched, "typed while attached and more");
    expect(await terminal.capture(terminalOf(rig))).not.toContain("NOT TAKEN");
    press(watched, "C-b", "d");

    // Whoever has the password could answer the agent's own permission prompts: no command of its shell inherits it,
    // whether the model runs it or a person does.
    const seenBy = async (name: string): Promise<string[]> => {
      await expect.poll(() => existsSync(join(rig.root, "work", name)), { timeout: 20_000 }).toBe(true);
      return readFileSync(join(rig.root, "work", name), "utf8").split("\0");
    };
    await isIdle(rig);
    await rig.fleet("send", "mos", "look [[bash env -0 > draft && mv draft model.env]]");
    const seen = await seenBy("model.env");
    await isIdle(rig);
    press(terminalOf(rig), "C-u");
    await expect
      .poll(() => terminal.capture(terminalOf(rig)), { timeout: 20_000 })
      .not.toContain("typed while attached");
    press(terminalOf(rig), "!");
    await screenShows(terminalOf(rig), "exit shell mode");
    press(terminalOf(rig), "-l", "env -0 > draft && mv draft person.env");
    press(terminalOf(rig), "Enter");
    for (const variables of [seen, await seenBy("person.env")]) {
      expect(variables).toContain("MOSAIC_AGENT=mos");
      expect(variables).toContain("SHELL=/bin/sh");
      expect(variables.filter((one) => one.includes(password) || one.startsWith("OPENCODE_SERVER"))).toEqual([]);
    }

    expect((await rig.fleet("tail", "mos")).out).toContain(`← ${echoOf(text).trim()}`);
    expect((await rig.fleet("explain", "mos")).out).toContain("the harness says so");
    expect((await rig.fleet("logs", "mos")).out).toMatch(/started[^]*message-delivered/);
    expect((await rig.agent("mos")).restarts).toBe(0);
  });

  test("100 messages, of every shape, each with OpenCode's receipt: each is there once, byte for byte, in order", async () => {
    const rig = await setUp();
    const texts = hundredTexts();
    for (const [at, text] of texts.entries()) {
      const receipt = await opencode.submit(deskOf(rig, "mos"), { id: `m${at}`, text, mode: "next" });
      expect(receipt.state).toBe("delivered");
    }
    // Those that came while it worked were read together, so there are fewer answers; the last one is answered.
    await answered(rig, "mos", texts.at(-1) ?? "");
    await isIdle(rig);
    expect(await conversation(rig, "mos", "user")).toEqual(texts);
    const shown = new Set(model.asks().flatMap(({ ask }) => ask.turns.map((turn) => turn.text)));
    for (const text of texts) expect([...shown].some((turn) => turn.includes(text))).toBe(true);

    // The same id again, also after a restart, is the same message.
    const again = { id: "m0", text: "/help", mode: "next" } as const;
    expect((await opencode.submit(deskOf(rig, "mos"), again)).state).toBe("delivered");
    const { session_id: session } = await rig.agent("mos");
    expect((await rig.fleet("restart", "mos")).code).toBe(0);
    expect((await opencode.submit(deskOf(rig, "mos"), again)).state).toBe("delivered");
    expect(await conversation(rig, "mos", "user")).toEqual(texts);
    expect((await rig.agent("mos")).session_id).toBe(session);
  });

  test("busy, interrupted, refused, limited, frozen: it says what it does, and loses nothing", async () => {
    const rig = await setUp();
    await rig.fleet("send", "mos", "one [[bash sleep 2]] [[say first]]");
    await isWorking(rig);
    // OpenCode reads whatever comes at the next step of the turn: it knows no other way.
    expect((await rig.fleet("send", "mos", "--steer", "--wait", "delivered", "sooner")).err).toContain(
      "delivered: it is in the conversation",
    );
    expect((await rig.fleet("send", "mos", "--wait", "delivered", "later")).err).toContain(
      "delivered: it is in the conversation",
    );
    await answered(rig, "mos", "later");
    await isIdle(rig);
    expect((await conversation(rig, "mos", "user")).slice(1)).toEqual(["sooner", "later"]);

    await rig.fleet("send", "mos", "and now [[hang]]");
    await isWorking(rig);
    expect((await rig.fleet("interrupt", "mos")).err).toContain("the turn was ended");
    await isIdle(rig);
    expect((await rig.fleet("interrupt", "mos")).err).toContain("nothing to interrupt");
    await rig.fleet("send", "mos", "stuck [[hang]]");
    await isWorking(rig);
    await rig.fleet("send", "mos", "waited for the interrupt");
    await rig.fleet("interrupt", "mos");
    await answered(rig, "mos", "waited for the interrupt");
    await isIdle(rig);

    await rig.fleet("send", "mos", "no login [[error 401 9]]");
    await rig.settled("mos", (agent) => agent.state === "auth-failed");
    expect((await rig.fleet("send", "mos", "later")).err).toContain("held: it is not logged in at its provider");
    await rig.insist("mos", "again");
    await isIdle(rig);
    model.rules.push({
      when: (ask) => ask.lastUser === "limit",
      steps: [() => ({ error: 429, retryAfter: 60, message: "Too Many Requests" })],
    });
    await rig.fleet("send", "mos", "limit");
    await rig.settled("mos", (agent) => agent.state === "limited");
    model.rules.length = 0;
    await rig.insist("mos", "overloaded [[error 529 9 60]]");
    await rig.fleet("interrupt", "mos");
    await isWorking(rig); // it tries again, and a busy provider is no limit
    await rig.fleet("interrupt", "mos");
    const { pid } = await isIdle(rig);

    process.kill(pid ?? 0, "SIGSTOP");
    // The process state would say it too; this is what its own channel says of a loop that does not run.
    expect(await opencode.ask(deskOf(rig, "mos"), 300)).toEqual({ kind: "silent", waitedMs: 300 });
    const frozen = await rig.settled("mos", (agent) => agent.state === "unknown");
    expect(frozen.heartbeat.health).not.toBe("healthy");
    expect((await rig.fleet("send", "mos", "hello")).err).toContain("accepted: it is kept; it is unknown");
    process.kill(pid ?? 0, "SIGCONT");
    await isIdle(rig);
  });

  test("kill -9: back by itself in its own conversation, with what waited; stop leaves nothing behind", async () => {
    const rig = await setUp();
    await rig.fleet("send", "mos", "remember this");
    await answered(rig, "mos", "remember this");
    const before = await isIdle(rig);
    await rig.fleet("send", "mos", "stuck [[hang]]");
    await isWorking(rig);
    expect((await rig.fleet("send", "mos", "kept through a crash")).err).toContain("delivered");
    process.kill(before.pid ?? 0, "SIGKILL");
    await rig.settled("mos", (agent) => agent.restarts === 1 && agent.pid !== before.pid && agent.state !== "starting");
    await answered(rig, "mos", "kept through a crash");
    const after = await isIdle(rig);
    expect([after.restarts, after.session_id]).toEqual([1, before.session_id]);
    const shown = model
      .asks()
      .some(
        ({ ask }) => ask.lastUser === "kept through a crash" && ask.turns.some((turn) => turn.text === "remember this"),
      );
    expect(shown).toBe(true);
    await screenShows(terminalOf(rig), "kept through a crash");

    await rig.fleet("send", "mos", "stuck again [[hang]]");
    await isWorking(rig);
    expect((await rig.fleet("stop")).out).toMatch(/mos +stopped/);
    expect(agentsProcesses(rig, "mos")).toEqual([]);
    expect(existsSync(join(rig.place("mos").dir, "tmp"))).toBe(false);
    expect(readdirSync(rig.home.sockets)).toEqual(["fleet.api"]); // the daemon's, which lives on
    expect(await rig.agent("mos")).toMatchObject({ state: "stopped", pid: null });
    // What was said can be read without it.
    expect((await rig.fleet("tail", "mos")).out).toContain("→ kept through a crash");
    await rig.fleet("start");
    await rig.fleet("send", "mos", "after it");
    await answered(rig, "mos", "after it");
    expect(await conversation(rig, "mos", "user")).toEqual([
      "remember this",
      "stuck [[hang]]",
      "kept through a crash",
      "stuck again [[hang]]",
      "after it",
    ]);
  });

  test("the permission floor, over what the person allows: beyond it OpenCode asks, and ps says so; all may report", async () => {
    const rig = await setUp(agentOf("mos"), agentOf("re", ", permissions: read"), agentOf("ed", ", permissions: edit"));
    const waits = async (name: string, ...steps: string[]) => {
      for (const step of steps) {
        await rig.fleet("send", name, `try ${step}`);
        await rig.settled(name, (agent) => agent.state === "waiting-permission");
        await rig.fleet("interrupt", name);
        await isIdle(rig, name);
      }
    };
    await waits(
      "re",
      `[[write ${rig.root}/work/no x]]`,
      "[[bash touch no]]",
      "[[bash mosaic fleet ps > no]]",
      "[[bash mosaic fleet ps; touch no]]",
      '[[bash mosaic fleet send mos "$(touch no)"]]',
    );
    await waits("ed", `[[write ${rig.root}/no x]]`, "[[bash touch no]]");
    await rig.fleet("send", "ed", `try [[write ${rig.root}/work/yes ok]]`);
    await has(rig, "ed", "agent", (text) => text.startsWith("done"));
    expect(readFileSync(join(rig.root, "work/yes"), "utf8")).toContain("ok");
    expect([existsSync(join(rig.root, "work/no")), existsSync(join(rig.root, "no"))]).toEqual([false, false]);

    // Answered from elsewhere: allowed once, denied, and by nobody twice.
    const asks = async (name: string) => {
      await rig.fleet("send", "re", `may I [[bash touch ${name} && touch ${name}2]]`);
      await rig.settled("re", (agent) => agent.state === "waiting-permission");
      const [asked, ...others] = await permissions(deskOf(rig, "re"));
      expect([asked?.what, others]).toEqual([`touch ${name} && touch ${name}2`, []]);
      const age = Date.now() - (asked?.at ?? 0);
      expect([age >= 0, age < 30_000]).toEqual([true, true]);
      return asked?.id ?? "";
    };
    const may = await asks("may");
    await screenShows(terminalOf(rig, "re"), "Permission required");
    await answer(deskOf(rig, "re"), may, "allow");
    await isIdle(rig, "re");
    expect(existsSync(join(rig.root, "work/may2"))).toBe(true);
    expect(await terminal.capture(terminalOf(rig, "re"))).not.toContain("Permission required");
    const mayNot = await asks("not");
    await answer(deskOf(rig, "re"), mayNot, "deny");
    await isIdle(rig, "re");
    expect(existsSync(join(rig.root, "work/not"))).toBe(false);
    await expect(answer(deskOf(rig, "re"), mayNot, "allow")).rejects.toThrow("does not wait for that permission");
    expect(await permissions(deskOf(rig, "re"))).toEqual([]);

    const question = { question: "Which?", header: "Which", options: [{ label: "a", description: "A" }] };
    await rig.fleet("send", "re", `ask [[tool question ${JSON.stringify({ questions: [question] })}]]`);
    await rig.settled("re", (agent) => agent.state === "waiting-input");
    await rig.fleet("interrupt", "re");
    await isIdle(rig, "re");

    // Worker and orchestrator, through the product's own send, by each agent's own token.
    const ask = `[[bash mosaic fleet send re 'count [[bash mosaic fleet send mos counted]]']]`;
    expect((await rig.fleet("send", "mos", `please ${ask}`)).code).toBe(0);
    await has(rig, "mos", "user", (text) => framed(text) === "counted");
    await has(rig, "re", "user", (text) => /^Message \S+ from mos, another agent/.test(text));
    await rig.fleet("restart", "re");
    rig.roster(rosterOf(agentOf("mos"), agentOf("re"), agentOf("ed", ", permissions: edit")));
    expect((await rig.fleet("apply")).code).toBe(0);
    // More is allowed now, in the same conversation; what its role may not, it still may not.
    await rig.fleet("send", "re", "do [[bash touch now; mosaic fleet stop mos]]");
    await has(rig, "re", "tool", (text) => text.includes("a worker may send and look, not stop"));
    expect(existsSync(join(rig.root, "work/now"))).toBe(true);
    expect((await rig.agent("mos")).state).not.toBe("stopped");
  });
});
