import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { networkInterfaces } from "node:os";
import { join } from "node:path";

import { afterAll, beforeAll, describe, expect, test } from "vitest";

import { parseBeat } from "../../src/contract/beat.ts";
import { claude } from "../../src/harness/claude/claude.ts";
import { markedProcesses } from "../../src/lib/proc.ts";
import { until } from "../../src/lib/wait.ts";
import { claudeEnv } from "../model/claude-home.ts";
import { echoOf } from "../model/script.ts";
import { startScriptedModel, type ScriptedModel } from "../model/server.ts";
import { framed, makeRig, rosterOf, type Rig } from "../rig.ts";
import { hundredTexts } from "../texts.ts";
import { claudeBin } from "./claude-rig.ts";
import { deskOf, terminal } from "./desk.ts";

let model: ScriptedModel;
beforeAll(async () => {
  model = await startScriptedModel();
});
afterAll(() => model.close());

const agentOf = (name: string, more = "") =>
  `{ name: ${name}, role: ${name === "mos" ? "orchestrator" : "worker"}, runtime: claude, model: scripted-large, workdir: ~/work, env: ${JSON.stringify(claudeEnv(model.url))}${more} }`;

async function setUp(...agents: string[]) {
  const rig = makeRig({ path: claudeBin });
  rig.roster(rosterOf(...(agents.length === 0 ? [agentOf("mos")] : agents)));
  const started = await rig.fleet("start");
  expect([started.code, started.err]).toEqual([0, "Next: mosaic fleet ps\n"]);
  return rig;
}

/** The conversation as Claude Code itself wrote it down, read by the adapter. */
async function conversation(rig: Rig, name: string, who: "user" | "agent" | "tool"): Promise<string[]> {
  const said = await claude.tail(deskOf(rig, name), 10_000);
  return said
    .filter((line) => line.who === who && !line.text.startsWith("[Request interrupted"))
    .map((line) => line.text);
}
const answered = (rig: Rig, name: string, count: number) =>
  expect.poll(() => conversation(rig, name, "agent"), { timeout: 30_000 }).toHaveProperty("length", count);
const heard = (rig: Rig, name: string, text: string) =>
  expect
    .poll(async () => (await conversation(rig, name, "user")).some((one) => one.endsWith(text)), { timeout: 30_000 })
    .toBe(true);
const isIdle = (rig: Rig, name = "mos") => rig.settled(name, (agent) => agent.state === "idle");
const press = (rig: Rig, ...keys: string[]) =>
  spawnSync("tmux", ["-S", rig.place("mos").terminal, "send-keys", "-t", "=mos:", ...keys]);
const onScreen = (rig: Rig, text: string) =>
  until(
    async () =>
      (await terminal.capture({ name: "mos", socket: rig.place("mos").terminal })).includes(text) ? true : undefined,
    { withinMs: 10_000 },
  );

// Without the CLI in .cache/ there is nothing to test; the lane says so loudly, and with CI=true it fails.
describe.skipIf(claudeBin === "")("Claude Code, for real", () => {
  test("the network is cut off, where it could be", () => {
    const links = Object.keys(networkInterfaces());
    if (links.length > 1) console.error(`not cut off: ${links.join(", ")}`);
    if (process.env["CI"] === "true") expect(links).toEqual(["lo"]);
  });

  test("starts on a fresh home without a dialog, ready by its own word, reports itself and beats", async () => {
    const rig = await setUp();
    const agent = await rig.settled("mos", (one) => one.heartbeat.health === "healthy");
    expect(agent).toMatchObject({
      state: "idle",
      runtime: "claude",
      model: "scripted-large",
      version: "2.1.330",
      restarts: 0,
      drift: [],
    });
    expect(agent.evidence.source).toBe("native");
    const beat = parseBeat(readFileSync(join(rig.home.run, "mos.hb"), "utf8"));
    expect(beat).toMatchObject({
      pid: agent.pid,
      status: "ok",
      interval: 15,
      model: "scripted-large",
      session: agent.session_id,
      version: "2.1.330",
    });
    const { stdout } = spawnSync("tmux", ["-S", rig.place("mos").terminal, "display", "-p", "#{alternate_on}"], {
      encoding: "utf8",
    });
    expect(stdout).toBe("0\n"); // its history can be scrolled and captured
    expect((await rig.fleet("explain", "mos")).out).toContain("the harness says so");
    expect(statSync(rig.place("mos").inbox).mode & 0o077).toBe(0);
    const known = JSON.parse(readFileSync(join(rig.root, ".claude.json"), "utf8")) as { projects: object };
    expect(Object.keys(known.projects)).toEqual([join(rig.root, "work")]);
    expect((await rig.fleet("verify")).code).toBe(0);
  });

  test("it goes on beating by itself, idle and busy, where there is neither jq nor Node", async () => {
    const rig = makeRig({ path: claudeBin });
    const bare = join(rig.root, "bare");
    mkdirSync(bare);
    for (const tool of ["sh", "cat", "tr", "sed", "date", "mv", "cp", "rm", "tmux"]) {
      symlinkSync(spawnSync("sh", ["-c", `command -v ${tool}`], { encoding: "utf8" }).stdout.trim(), join(bare, tool));
    }
    rig.roster(rosterOf(agentOf("mos").replace("env: {", `env: { PATH: ${bare}, `)));
    const env = { MOSAIC_HEARTBEAT_INTERVAL: "1" };
    expect((await rig.mosaic(["fleet", "start"], { env })).code).toBe(0);
    const next = async () => {
      const before = (await rig.agent("mos")).heartbeat.ts;
      return rig.settled("mos", ({ heartbeat }) => heartbeat.ts !== before && heartbeat.interval_ms === 1_000);
    };
    await next();
    await rig.fleet("send", "mos", "busy [[hang]]");
    await rig.settled("mos", (agent) => agent.state === "working");
    await next();
    expect(await next()).toMatchObject({ state: "working", model: "scripted-large", heartbeat: { health: "healthy" } });
  });

  test("100 messages, of every shape, each with Claude Code's receipt: each is there once, byte for byte, in order", async () => {
    const rig = await setUp();
    const texts = hundredTexts();
    // By the product's own command: Claude Code takes 30 from one sender at once and then one every two seconds.
    for (const text of texts) {
      const sent = await rig.mosaic(["fleet", "send", "mos", "-"], { input: text });
      expect([sent.code, sent.err]).toEqual([0, expect.stringMatching(/delivered|accepted/)]);
    }
    await heard(rig, "mos", texts.at(-1) ?? "");
    await isIdle(rig);
    expect(await conversation(rig, "mos", "user")).toEqual(texts);
    const echoes = await conversation(rig, "mos", "agent");
    expect(echoes.at(-1)).toBe(echoOf(texts.at(-1) ?? ""));
  });

  test("from the command line: stdin and words arrive as they were written, and the exit code is the receipt", async () => {
    const rig = await setUp();
    const text = "line one\n\n  line three; $(id) `x` 'q' \"d\"\n";
    const sent = await rig.mosaic(["fleet", "send", "mos", "-"], { input: text });
    expect([sent.code, sent.err]).toEqual([0, expect.stringContaining("delivered: it is in the conversation")]);
    await answered(rig, "mos", 1);
    // One sender's repetition would be dropped by Claude Code; a person may say the same again.
    for (let at = 0; at < 2; at++) expect((await rig.fleet("send", "mos", "go on")).code).toBe(0);
    await answered(rig, "mos", 3);
    expect(await conversation(rig, "mos", "user")).toEqual([text, "go on", "go on"]);
    expect((await rig.fleet("tail", "mos")).out).toContain(`← ${echoOf(text).trim()}`);
  });

  test("the same id twice is delivered once, also after a restart", async () => {
    const rig = await setUp();
    const message = { id: "same", text: "only once", mode: "next" } as const;
    for (let at = 0; at < 2; at++) expect((await claude.submit(deskOf(rig, "mos"), message)).state).toBe("delivered");
    await answered(rig, "mos", 1);
    await isIdle(rig);
    expect((await rig.fleet("restart", "mos")).code).toBe(0);
    expect((await claude.submit(deskOf(rig, "mos"), message)).state).toBe("delivered");
    expect(await conversation(rig, "mos", "user")).toEqual(["only once"]);
  });

  test("a person's half-typed draft survives a delivery and an interrupt", async () => {
    const rig = await setUp();
    press(rig, "-l", "my half-typed dra");
    await onScreen(rig, "my half-typed dra");
    await rig.fleet("send", "mos", "a message meanwhile");
    await answered(rig, "mos", 1);
    await rig.fleet("send", "mos", "stuck [[hang]] [[say on]]");
    await rig.settled("mos", (agent) => agent.state === "working");
    expect((await rig.fleet("interrupt", "mos")).err).toContain("the turn was ended");
    await isIdle(rig);
    press(rig, "-l", "ft");
    await onScreen(rig, "my half-typed draft");
    press(rig, "Enter");
    await heard(rig, "mos", "draft");
    await answered(rig, "mos", 2);
    expect(await conversation(rig, "mos", "user")).toEqual([
      "a message meanwhile",
      "stuck [[hang]] [[say on]]",
      "my half-typed draft",
    ]);
  });

  test("busy: next waits for the turn's end, steer comes before it, interrupt ends the turn and loses none", async () => {
    const rig = await setUp(agentOf("mos", ", permissions: full"));
    await rig.fleet("send", "mos", "one [[bash sleep 3]] [[say first]]");
    await rig.settled("mos", (agent) => agent.state === "working");
    expect((await rig.fleet("send", "mos", "later")).err).toContain("accepted: it is kept");
    expect((await rig.fleet("send", "mos", "--steer", "sooner")).code).toBe(0);
    await heard(rig, "mos", "later");
    await isIdle(rig);
    expect((await conversation(rig, "mos", "user")).slice(1)).toEqual(["sooner", "later"]);

    await rig.fleet("send", "mos", "and now [[hang]]");
    await rig.settled("mos", (agent) => agent.state === "working");
    await rig.fleet("send", "mos", "waited");
    expect((await rig.fleet("interrupt", "mos")).err).toContain("the turn was ended");
    await heard(rig, "mos", "waited");
    await isIdle(rig);
    expect((await rig.fleet("interrupt", "mos")).err).toContain("nothing to interrupt");
  });

  test("kill -9: back by itself in its own conversation", async () => {
    const rig = await setUp();
    await rig.fleet("send", "mos", "remember this");
    await answered(rig, "mos", 1);
    await isIdle(rig);
    const before = await rig.agent("mos");
    process.kill(before.pid ?? 0, "SIGKILL");
    const after = await rig.settled(
      "mos",
      (agent) => agent.restarts === 1 && agent.pid !== before.pid && agent.state === "idle",
    );
    expect(after.session_id).toBe(before.session_id);
    await rig.fleet("send", "mos", "what was it");
    await answered(rig, "mos", 2);
    expect(await conversation(rig, "mos", "user")).toEqual(["remember this", "what was it"]);
    // The model was shown the old words again: it is the same conversation, not a new one of the same name.
    const turns = model.asks().at(-1)?.ask.turns ?? [];
    expect(turns.some((turn) => turn.role === "user" && turn.text === "remember this")).toBe(true);
  });

  test("kill -9 before its first message, and an id that a killed one took along: nothing is in the way", async () => {
    const rig = await setUp();
    const before = await rig.agent("mos");
    process.kill(before.pid ?? 0, "SIGKILL");
    const back = await rig.settled("mos", (agent) => agent.restarts === 1 && agent.state === "idle");
    expect(back.session_id).toBe(before.session_id);
    await rig.fleet("send", "mos", "stuck [[hang]]");
    await rig.settled("mos", (agent) => agent.state === "working");
    const message = { id: "again", text: "given again", mode: "next" } as const;
    expect((await claude.submit(deskOf(rig, "mos"), message)).state).toBe("queued");
    process.kill(back.pid ?? 0, "SIGKILL");
    await rig.settled("mos", (agent) => agent.restarts === 2 && agent.state === "idle");
    expect((await claude.submit(deskOf(rig, "mos"), message)).state).toBe("delivered");
    expect((await conversation(rig, "mos", "user")).filter((text) => text === "given again")).toHaveLength(1);
  });

  test("kill -9 before its first message is in the conversation it has begun to write: it begins again under the same id", async () => {
    const rig = await setUp();
    expect((await rig.fleet("ask", "mos", "hello")).code).toBe(0);
    const { session_id: id } = await rig.agent("mos");
    await rig.fleet("stop");
    const folder = join(rig.root, ".claude", "projects");
    const file = readdirSync(folder)
      .map((name) => join(folder, name, `${id}.jsonl`))
      .find((path) => existsSync(path));
    // What such a kill leaves: Claude Code has noted that it was told something, and not yet that it was said.
    const rows = readFileSync(file ?? "", "utf8").split("\n");
    writeFileSync(
      file ?? "",
      `${rows
        .slice(
          0,
          rows.findIndex((row) => row.includes('"type":"user"')),
        )
        .join("\n")}\n`,
    );
    expect((await rig.fleet("start")).code).toBe(0);
    expect(await rig.agent("mos")).toMatchObject({ state: "idle", session_id: id });
    expect((await rig.fleet("ask", "mos", "hello again")).code).toBe(0);
  });

  test("a frozen Claude Code is unknown at once, and one that hangs does not answer", async () => {
    const rig = await setUp();
    const { pid } = await rig.agent("mos");
    process.kill(pid ?? 0, "SIGSTOP");
    // The process state would say it too; this is what its own channel says of a loop that does not run.
    expect(await claude.ask(deskOf(rig, "mos"), 300)).toEqual({ kind: "silent", waitedMs: 300 });
    const frozen = await rig.settled("mos", (agent) => agent.state === "unknown");
    expect(frozen.heartbeat.health).not.toBe("healthy");
    process.kill(pid ?? 0, "SIGCONT");
    await isIdle(rig);
  });

  test("a login that is refused and a limit are said, not shown as idle", async () => {
    const rig = await setUp();
    await rig.fleet("send", "mos", "no login [[error 401 2]] [[say fine]]");
    await rig.settled("mos", (agent) => agent.state === "auth-failed");
    expect((await rig.fleet("send", "mos", "later")).err).toContain("held: it is not logged in at its provider");
    await rig.insist("mos", "again");
    await isIdle(rig);
    await rig.fleet("send", "mos", "limit [[error 429 2]]");
    await rig.settled("mos", (agent) => agent.state === "limited");
  });

  test("the permission floor: above it Claude Code asks, and ps says that it waits for a permission", async () => {
    const rig = await setUp(agentOf("mos", ", permissions: read"), agentOf("ed", ", permissions: edit"));
    await rig.fleet("send", "ed", `try [[write ${rig.root}/work/yes ok]] [[bash touch ${rig.root}/no]]`);
    await rig.settled("ed", (agent) => agent.state === "waiting-permission");
    expect(readFileSync(join(rig.root, "work/yes"), "utf8")).toContain("ok");
    expect(existsSync(join(rig.root, "no"))).toBe(false);

    await rig.fleet("send", "mos", `try [[write ${rig.root}/work/no x]] [[say gave up]]`);
    await rig.settled("mos", (agent) => agent.state === "waiting-permission");
    const listed = (await rig.fleet("approvals")).out;
    expect(listed).toMatch(/ed\/\S+ .*Bash touch /);
    expect(listed).toMatch(/mos\/\S+ .*Write .*\/work\/no/);
    expect((await rig.fleet("send", "mos", "while it waits")).err).toContain(
      "accepted and held: a permission question is open",
    );
    expect((await rig.fleet("interrupt", "mos")).err).toContain("the turn was ended");
    await isIdle(rig);
    expect(existsSync(join(rig.root, "work/no"))).toBe(false);
  });

  test("its model is told who it is, and keeps its role", async () => {
    const rig = await setUp(agentOf("mos", ', prompt: "You guard the CANARY."'));
    await rig.fleet("send", "mos", "who are you");
    await answered(rig, "mos", 1);
    const { system } = model.asks().at(-1)?.ask ?? { system: "" };
    expect(system).toContain('You are mos, the orchestrator in the fleet "acme".');
    expect(system).toContain("You guard the CANARY.");
  });

  test("neither its role nor the code of its owner's words is on any command line, and nobody else may read them", async () => {
    const canary = `CANARY ${crypto.randomUUID()}`; // other agents may run on this machine
    const rig = await setUp(agentOf("mos", `, prompt: "You guard the ${canary}."`));
    const { dir } = rig.place("mos");
    await rig.fleet("send", "mos", "who are you");
    await answered(rig, "mos", 1);
    const code = readFileSync(join(dir, "warrants/code"), "utf8");
    expect(model.asks().at(-1)?.ask.system).toContain(`the code ${code}:`);
    for (const after of ["the start", "a restart"]) {
      const own = markedProcesses([`MOSAIC_HOME=${rig.home.root}`, "MOSAIC_AGENT=mos"]);
      expect([after, own]).toEqual([after, expect.arrayContaining([(await rig.agent("mos")).pid])]);
      const lines = commandLines();
      expect(lines.filter((line) => line.includes(code) || line.includes(canary))).toEqual([]);
      expect(lines.some((line) => line.includes(join(dir, "briefing.txt")))).toBe(true);
      await rig.fleet("restart", "mos");
    }
    expect(statSync(join(dir, "briefing.txt")).mode & 0o777).toBe(0o600);
    expect(statSync(join(dir, "warrants/code")).mode & 0o777).toBe(0o600);
  });

  test("stop lets it save, records its own exit code, and leaves no process, no socket and no temporary file", async () => {
    const rig = await setUp();
    await rig.fleet("send", "mos", "before the end");
    await answered(rig, "mos", 1);
    const stopped = await rig.fleet("stop");
    expect(stopped.out).toMatch(/mos +stopped +exit code 143/);
    expect(markedProcesses([`MOSAIC_HOME=${rig.home.root}`, "MOSAIC_AGENT=mos"])).toEqual([]);
    expect(readdirSync(rig.home.sockets)).toEqual(["fleet.api"]); // the daemon's, which lives on
    expect(existsSync(join(rig.place("mos").dir, "tmp"))).toBe(false);
    expect(readdirSync(join(rig.root, ".claude", "sessions"))).toEqual([]);
    expect(await rig.agent("mos")).toMatchObject({ state: "stopped", pid: null });
    await rig.fleet("start");
    await rig.fleet("send", "mos", "after it");
    await answered(rig, "mos", 2);
    expect(await conversation(rig, "mos", "user")).toEqual(["before the end", "after it"]);
  });

  test("what a person keeps in Claude Code's own file stays, and another work folder keeps the conversation", async () => {
    const rig = makeRig({ path: claudeBin });
    const file = join(rig.root, ".claude.json");
    writeFileSync(file, JSON.stringify({ numStartups: 41, projects: { "/elsewhere": { allowedTools: ["x"] } } }));
    rig.roster(rosterOf(agentOf("mos")));
    expect((await rig.fleet("start")).code).toBe(0);
    await rig.fleet("send", "mos", "in the first folder");
    await answered(rig, "mos", 1);
    const { session_id: session } = await rig.agent("mos");
    mkdirSync(join(rig.root, "other"));
    rig.roster(rosterOf(agentOf("mos")).replace("~/work", "~/other"));
    expect((await rig.fleet("apply")).code).toBe(0);
    expect((await isIdle(rig)).session_id).toBe(session);
    const known = JSON.parse(readFileSync(file, "utf8")) as { numStartups: number; projects: Record<string, object> };
    expect(known.numStartups).toBeGreaterThan(40);
    expect(known.projects["/elsewhere"]).toMatchObject({ allowedTools: ["x"] });
  });

  test("a configuration folder of one's own is used for everything, and the usual one is not touched", async () => {
    const rig = makeRig({ path: claudeBin });
    const own = join(rig.root, "own");
    rig.roster(rosterOf(agentOf("mos").replace("env: {", `env: { CLAUDE_CONFIG_DIR: ${own}, `)));
    expect((await rig.fleet("start")).code).toBe(0);
    await rig.fleet("send", "mos", "in there");
    await answered(rig, "mos", 1);
    expect(existsSync(join(own, ".claude.json"))).toBe(true);
    expect([".claude", ".claude.json"].filter((name) => existsSync(join(rig.root, name)))).toEqual([]);
  });

  test("worker to orchestrator and back, through the product's own send, by each agent's own token", async () => {
    const rig = await setUp(agentOf("mos", ", permissions: read"), agentOf("co", ", permissions: read"));
    const ask = `[[bash mosaic fleet send co 'count [[bash mosaic fleet send mos counted]]']]`;
    expect((await rig.fleet("send", "mos", `please ${ask}`)).code).toBe(0);
    await expect
      .poll(async () => (await conversation(rig, "mos", "user")).some((text) => framed(text) === "counted"), {
        timeout: 30_000,
      })
      .toBe(true);
    expect((await conversation(rig, "co", "user"))[0]).toMatch(/^Message \S+ from mos, another agent/);
    await isIdle(rig, "co");
    expect((await rig.fleet("send", "co", "do [[bash mosaic fleet ps --json]]")).code).toBe(0);
    await isIdle(rig, "co");
    expect((await rig.fleet("tail", "co")).out).toContain('"fleet":"acme"');
  });
});

/** The command lines of all that runs on this machine. */
const commandLines = (): string[] =>
  readdirSync("/proc").flatMap((name) => {
    try {
      return /^\d+$/.test(name) ? [readFileSync(`/proc/${name}/cmdline`, "utf8")] : [];
    } catch {
      return []; // gone meanwhile
    }
  });
