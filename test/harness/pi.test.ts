import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { networkInterfaces } from "node:os";
import { join } from "node:path";

import { afterAll, beforeAll, describe, expect, test } from "vitest";

import { parseBeat } from "../../src/contract/beat.ts";
import { pi } from "../../src/harness/pi/pi.ts";
import { markedProcesses } from "../../src/lib/proc.ts";
import { until } from "../../src/lib/wait.ts";
import { comes } from "../comes.ts";
import { writePiHome } from "../model/pi-home.ts";
import { echoOf } from "../model/script.ts";
import { startScriptedModel, type ScriptedModel } from "../model/server.ts";
import { framed, makeRig, rosterOf, type Rig } from "../rig.ts";
import { hundredTexts } from "../texts.ts";
import { deskOf, terminal } from "./desk.ts";

/** Each version that is tested, with the folder of its command; empty where it is not in .cache/. */
const versions = [
  { version: "0.87.1", bin: process.env["MOSAIC_TEST_PI"] ?? "" },
  { version: "1.5.2", bin: process.env["MOSAIC_TEST_PI15"] ?? "" },
];

const agentOf = (name: string, more = "") =>
  `{ name: ${name}, role: ${name === "mos" ? "orchestrator" : "worker"}, runtime: pi, workdir: ~/work${more} }`;

interface Entry {
  type: string;
  message?: { role: string; content: string | { type: string; text?: string }[] };
}
/** The conversation as Pi itself wrote it down. */
function conversation(rig: Rig, name: string, role: string): string[] {
  const { file } = JSON.parse(readFileSync(rig.place(name).session, "utf8")) as { file: string };
  if (!existsSync(file)) return [];
  return readFileSync(file, "utf8")
    .split("\n")
    .filter(Boolean)
    .map((line) => JSON.parse(line) as Entry)
    .filter((entry) => entry.message?.role === role)
    .map(({ message }) =>
      typeof message?.content === "string"
        ? message.content
        : (message?.content ?? []).map((part) => part.text ?? "").join(""),
    );
}
const answered = (rig: Rig, name: string, count: number) =>
  until(() => (conversation(rig, name, "assistant").length >= count ? true : undefined), { withinMs: 60_000 });
const isIdle = (rig: Rig, name = "mos") => rig.settled(name, (agent) => agent.state === "idle");

// Without the CLI in .cache/ there is nothing to test; the lane says so loudly, and with CI=true it fails.
describe.each(versions.filter(({ bin }) => bin !== ""))("Pi $version, for real", ({ version, bin }) => {
  let model: ScriptedModel;
  beforeAll(async () => {
    model = await startScriptedModel();
  });
  afterAll(() => model.close());

  async function setUp(...agents: string[]) {
    const rig = makeRig({ path: bin });
    writePiHome(rig.root, model.url);
    rig.roster(rosterOf(...(agents.length === 0 ? [agentOf("mos")] : agents)));
    const started = await rig.fleet("start");
    expect([started.code, started.err]).toEqual([0, "Next: mosaic fleet ps\n"]);
    return rig;
  }

  test("the network is cut off, where it could be", () => {
    const links = Object.keys(networkInterfaces());
    if (links.length > 1) console.error(`not cut off: ${links.join(", ")}`);
    if (process.env["CI"] === "true") expect(links).toEqual(["lo"]);
  });

  test("starts on a fresh home without a dialog, ready by its own word, and reports itself", async () => {
    const rig = await setUp();
    const agent = await rig.agent("mos");
    expect(agent).toMatchObject({
      state: "idle",
      runtime: "pi",
      model: "scripted/scripted-large",
      version,
      restarts: 0,
      drift: [],
    });
    expect(agent.evidence.source).toBe("native");
    expect(agent.heartbeat.health).toBe("healthy");
    const beat = parseBeat(readFileSync(join(rig.home.run, "mos.hb"), "utf8"));
    expect(beat).toMatchObject({
      pid: agent.pid,
      status: "ok",
      interval: 15,
      state: "idle",
      session: agent.session_id,
      version,
    });
    expect(statSync(rig.place("mos").inbox).mode & 0o777).toBe(0o600);
    expect((await rig.fleet("verify")).code).toBe(0);
  });

  test("100 messages, of every shape, each with Pi's receipt: each is there once, byte for byte, in order", async () => {
    const rig = await setUp();
    const texts = hundredTexts();
    for (const [at, text] of texts.entries()) {
      const receipt = await pi.submit(deskOf(rig, "mos"), { id: `m${at}`, text, mode: "next" });
      expect(["delivered", "queued"]).toContain(receipt.state);
    }
    await answered(rig, "mos", 100);
    await isIdle(rig);
    expect(conversation(rig, "mos", "user")).toEqual(texts);
    expect(conversation(rig, "mos", "assistant")).toEqual(texts.map((text) => echoOf(text)));
    const { asks } = { asks: model.asks().filter((one) => one.ask.lastUser === texts[11]) };
    expect(asks[0]?.sha256).toBe(
      createHash("sha256")
        .update(texts[11] ?? "")
        .digest("hex"),
    );
  });

  test("from the command line: stdin and words arrive as they were written, and the exit code is the receipt", async () => {
    const rig = await setUp();
    const text = "line one\n\n  line three; $(id) `x` 'q' \"d\"\n";
    const sent = await rig.mosaic(["fleet", "send", "mos", "-"], { input: text });
    expect([sent.code, sent.err]).toEqual([0, expect.stringContaining("delivered: it is in the conversation")]);
    await answered(rig, "mos", 1);
    expect(conversation(rig, "mos", "user")).toEqual([text]);
    expect((await rig.fleet("tail", "mos")).out).toContain(`← ${echoOf(text).trim()}`);
  });

  test("the same id twice is delivered once, also after a restart", async () => {
    const rig = await setUp();
    const message = { id: "same", text: "only once", mode: "next" } as const;
    expect((await pi.submit(deskOf(rig, "mos"), message)).state).toBe("delivered");
    expect((await pi.submit(deskOf(rig, "mos"), message)).state).toBe("delivered");
    await isIdle(rig);
    await rig.fleet("restart", "mos");
    expect((await pi.submit(deskOf(rig, "mos"), message)).state).toBe("delivered");
    expect(conversation(rig, "mos", "user")).toEqual(["only once"]);
  });

  test("a person's half-typed draft survives a delivery", async () => {
    const rig = await setUp();
    const at = { name: "mos", socket: rig.place("mos").terminal };
    spawnSync("tmux", ["-S", at.socket, "send-keys", "-t", "=mos:", "-l", "my half-typed dra"]);
    await comes(async () => ((await terminal.capture(at)).includes("my half-typed dra") ? true : undefined), {
      withinMs: 10_000,
    });
    await rig.fleet("send", "mos", "a message meanwhile");
    await answered(rig, "mos", 1);
    await isIdle(rig);
    expect(conversation(rig, "mos", "user")).toEqual(["a message meanwhile"]);
    spawnSync("tmux", ["-S", at.socket, "send-keys", "-t", "=mos:", "-l", "ft"]);
    spawnSync("tmux", ["-S", at.socket, "send-keys", "-t", "=mos:", "Enter"]);
    await answered(rig, "mos", 2);
    expect(conversation(rig, "mos", "user")).toEqual(["a message meanwhile", "my half-typed draft"]);
  });

  test("busy: next waits for the turn's end, steer comes before it, interrupt ends the turn", async () => {
    const rig = await setUp();
    await rig.fleet("send", "mos", "one [[bash sleep 2]] [[say first]]");
    await rig.settled("mos", (agent) => agent.state === "working");
    expect((await rig.fleet("send", "mos", "later")).err).toContain("accepted: it is kept");
    expect((await rig.fleet("send", "mos", "--steer", "sooner")).code).toBe(0);
    await answered(rig, "mos", 3);
    await isIdle(rig);
    expect(conversation(rig, "mos", "user").slice(1)).toEqual(["sooner", "later"]);

    await rig.fleet("send", "mos", "and now [[hang]]");
    await rig.settled("mos", (agent) => agent.state === "working");
    expect((await rig.fleet("interrupt", "mos")).err).toContain("the turn was ended");
    await isIdle(rig);
    expect((await rig.fleet("interrupt", "mos")).err).toContain("nothing to interrupt");
  });

  test("two messages in one breath are both delivered, in order; an interrupt loses none that wait, and no draft", async () => {
    const rig = await setUp();
    const line = connect(rig.place("mos").inbox);
    const texts = ["first [[bash sleep 1]] [[say a]]", "second", "third"];
    line.write(
      texts.map((text, at) => `${JSON.stringify({ type: "message", id: `b${at}`, text, mode: "next" })}\n`).join(""),
    );
    await answered(rig, "mos", 4);
    expect(conversation(rig, "mos", "user")).toEqual(texts);
    line.destroy();
    await isIdle(rig);

    const at = { name: "mos", socket: rig.place("mos").terminal };
    await rig.fleet("send", "mos", "stuck [[hang]]");
    await rig.settled("mos", (agent) => agent.state === "working");
    spawnSync("tmux", ["-S", at.socket, "send-keys", "-t", "=mos:", "-l", "my draft"]);
    await comes(async () => (await terminal.capture(at)).includes("my draft") || undefined, { withinMs: 10_000 });
    await rig.fleet("send", "mos", "waits for its turn");
    await rig.fleet("send", "mos", "--steer", "steers");
    await rig.fleet("interrupt", "mos");
    await comes(() => conversation(rig, "mos", "user").length === 6 || undefined, { withinMs: 20_000 });
    expect(conversation(rig, "mos", "user").slice(3).toSorted()).toEqual([
      "steers",
      "stuck [[hang]]",
      "waits for its turn",
    ]);
    await isIdle(rig);
    const screen = await terminal.capture(at);
    expect(screen.slice(screen.lastIndexOf("────", screen.lastIndexOf("my draft")))).not.toContain("steers");
    expect(screen).toContain("my draft");
  });

  test("kill -9: back by itself in its own conversation; a message it had only accepted is delivered once", async () => {
    const rig = await setUp();
    await rig.fleet("send", "mos", "remember this");
    await answered(rig, "mos", 1);
    await isIdle(rig);
    const before = await rig.agent("mos");
    await rig.fleet("send", "mos", "stuck [[hang]]");
    await rig.settled("mos", (agent) => agent.state === "working");
    expect(
      (await pi.submit(deskOf(rig, "mos"), { id: "kept", text: "kept through a crash", mode: "next" })).state,
    ).toBe("queued");
    process.kill(before.pid ?? 0, "SIGKILL");
    await rig.settled("mos", (agent) => agent.restarts === 1 && agent.pid !== before.pid && agent.state !== "starting");
    await comes(() => conversation(rig, "mos", "user").includes("kept through a crash") || undefined, {
      withinMs: 30_000,
    });
    await isIdle(rig);
    const after = await rig.agent("mos");
    expect(after.session_id).toBe(before.session_id);
    expect(conversation(rig, "mos", "user")).toEqual(["remember this", "stuck [[hang]]", "kept through a crash"]);
    // The model was shown the old words again: it is the same conversation, not a new one of the same name.
    expect(
      model
        .asks()
        .at(-1)
        ?.ask.turns.some((turn) => turn.role === "user" && turn.text === "remember this"),
    ).toBe(true);
    expect(
      (await pi.submit(deskOf(rig, "mos"), { id: "kept", text: "kept through a crash", mode: "next" })).state,
    ).toBe("delivered");
  });

  test("kill-server from inside one agent takes that agent only, and it is back with its conversation", async () => {
    const rig = await setUp(agentOf("mos"), agentOf("co"), agentOf("co-1"));
    await rig.fleet("send", "co", "before");
    await answered(rig, "co", 1);
    await isIdle(rig, "co");
    const before = await rig.ps();
    await rig.fleet("send", "co", "now [[bash tmux kill-server]]");
    const back = await rig.settled(
      "co",
      (agent) => agent.pid !== null && agent.pid !== before[1]?.pid && agent.state === "idle",
    );
    expect(back).toMatchObject({ session_id: before[1]?.session_id, restarts: 1 });
    const after = await rig.ps();
    expect([after[0]?.pid, after[2]?.pid]).toEqual([before[0]?.pid, before[2]?.pid]);
    expect(conversation(rig, "co", "user")[0]).toBe("before");
  });

  test("a frozen Pi and a Pi with a blocked event loop are unknown at once, never idle and never healthy", async () => {
    const hang =
      "export default (pi) => pi.on('message_start', (e) => { if (JSON.stringify(e.message).includes('BLOCK')) for (;;); });";
    const rig = makeRig({ path: bin });
    writeFileSync(join(rig.root, "hang.ts"), hang);
    writePiHome(rig.root, model.url);
    rig.roster(rosterOf(agentOf("mos", `, args: [-e, ${rig.root}/hang.ts]`)));
    expect((await rig.fleet("start")).code).toBe(0);
    const { pid } = await rig.agent("mos");
    process.kill(pid ?? 0, "SIGSTOP");
    const frozen = await rig.settled("mos", (agent) => agent.state === "unknown");
    expect(frozen.heartbeat.health).toBe("stale");
    process.kill(pid ?? 0, "SIGCONT");
    await isIdle(rig);
    await rig.fleet("send", "mos", "BLOCK");
    const hung = await rig.agent("mos");
    expect([hung.state, hung.evidence.source, hung.heartbeat.health]).toEqual(["unknown", "native", "stale"]);
    expect((await rig.fleet("explain", "mos")).out).toContain("the harness does not answer");
    expect((await rig.fleet("send", "mos", "hello")).err).toContain("accepted: it is kept; it is unknown");
    expect((await rig.fleet("verify")).code).toBe(5);
  });

  test("a login that is refused and a limit are said, not shown as idle", async () => {
    const rig = await setUp();
    await rig.fleet("send", "mos", "no login [[error 401 1]] [[say fine]]");
    await rig.settled("mos", (agent) => agent.state === "auth-failed");
    expect((await rig.fleet("send", "mos", "later")).err).toContain("held: it is not logged in at its provider");
    await rig.insist("mos", "again");
    await isIdle(rig);
    await rig.fleet("send", "mos", "limit [[error 429 9]]"); // Pi tries again after 2, 4 and 8 s by itself
    await rig.settled("mos", (agent) => agent.state === "limited");
  });

  test("a first message is not lost, though Pi writes a conversation only with its first answer", async () => {
    const rig = await setUp();
    const { pid } = await rig.agent("mos");
    expect((await rig.fleet("send", "mos", "the very first [[hang]]")).err).toContain("delivered");
    await rig.settled("mos", (agent) => agent.state === "working");
    process.kill(pid ?? 0, "SIGKILL");
    await rig.settled("mos", (agent) => agent.restarts === 1 && agent.state !== "starting");
    // 0.87 has written nothing and is given the message again; 1.5 has it in its file, as a turn that was cut off.
    await comes(
      async () => {
        await rig.fleet("interrupt", "mos");
        return conversation(rig, "mos", "user").length > 0 || undefined;
      },
      { withinMs: 20_000 },
    );
    await isIdle(rig);
    expect(conversation(rig, "mos", "user")).toEqual(["the very first [[hang]]"]);
  });

  test("the permission floor: read asks before the shell and files, edit before what lies outside its folder, and both may report", async () => {
    const rig = await setUp(agentOf("mos"), agentOf("re", ", permissions: read"), agentOf("ed", ", permissions: edit"));
    const denied = async (name: string, count: number) => {
      for (let at = 0; at < count; at++) {
        const { why } = await rig.settled(name, (agent) => agent.state === "waiting-permission");
        expect((await rig.fleet("approvals", "deny", name)).code).toBe(0);
        expect(why).toMatch(/^(bash touch|write)/);
      }
    };
    await rig.fleet(
      "send",
      "re",
      `try [[bash touch ${rig.root}/work/no]] [[write ${rig.root}/work/no x]] [[tool fleet_send {"agent":"mos","text":"reported"}]] [[bash mosaic fleet send mos 'by shell']]`,
    );
    await denied("re", 2);
    await answered(rig, "re", 5);
    await rig.fleet(
      "send",
      "ed",
      `try [[write ${rig.root}/work/yes ok]] [[write ${rig.root}/no x]] [[write ../no x]] [[bash touch ${rig.root}/no]]`,
    );
    await denied("ed", 3);
    await answered(rig, "ed", 5);
    expect(readFileSync(join(rig.root, "work/yes"), "utf8")).toContain("ok");
    expect([existsSync(join(rig.root, "work/no")), existsSync(join(rig.root, "no"))]).toEqual([false, false]);
    const reports = () =>
      conversation(rig, "mos", "user").flatMap((text) =>
        text.includes(" from re, another agent") ? [framed(text)] : [],
      );
    await expect.poll(reports, { timeout: 10_000 }).toEqual(["reported", "by shell"]);
    expect(conversation(rig, "mos", "user")).toHaveLength(2);
  });

  test("its model is told who it is, and keeps its role", async () => {
    const rig = await setUp(agentOf("mos", ', prompt: "You guard the CANARY."'));
    await rig.fleet("send", "mos", "who are you");
    await answered(rig, "mos", 1);
    const { system } = model.asks().at(-1)?.ask ?? { system: "" };
    expect(system).toContain('You are mos, the orchestrator in the fleet "acme".');
    expect(system).toContain("You guard the CANARY.");
  });

  test("stop lets it save, records its own exit code, and leaves no process and no socket", async () => {
    const rig = await setUp();
    await rig.fleet("send", "mos", "before the end");
    await answered(rig, "mos", 1);
    const stopped = await rig.fleet("stop");
    expect(stopped.out).toMatch(/mos +stopped +exit code 0/);
    expect(markedProcesses([`MOSAIC_HOME=${rig.home.root}`, "MOSAIC_AGENT=mos"])).toEqual([]);
    expect(existsSync(rig.place("mos").inbox)).toBe(false);
    expect(await rig.agent("mos")).toMatchObject({ state: "stopped", pid: null });
    await rig.fleet("start");
    await rig.fleet("send", "mos", "after it");
    await answered(rig, "mos", 2);
    expect(conversation(rig, "mos", "user")).toEqual(["before the end", "after it"]);
  });

  test("worker to orchestrator and back, through the product's own send, by each agent's own token", async () => {
    const rig = await setUp(agentOf("mos"), agentOf("co"));
    const ask = `[[bash mosaic fleet send co 'count [[bash mosaic fleet send mos counted]]']]`;
    expect((await rig.fleet("send", "mos", `please ${ask}`)).code).toBe(0);
    await expect
      .poll(() => conversation(rig, "mos", "user").some((text) => framed(text) === "counted"), { timeout: 30_000 })
      .toBe(true);
    expect(conversation(rig, "co", "user")[0]).toMatch(/^Message \S+ from mos, another agent/);
    const forbidden = await rig.fleet("send", "co", "do [[bash mosaic fleet stop mos]]");
    expect(forbidden.code).toBe(0);
    await isIdle(rig, "co");
    expect((await rig.agent("mos")).state).not.toBe("stopped");
    expect((await rig.fleet("tail", "co")).out).toContain("a worker may send and look, not stop");
  });
});
