import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest";

import { until } from "../../src/lib/wait.ts";
import { tmuxTerminal } from "../../src/terminal/tmux.ts";
import { writeCodexHome } from "../model/codex-home.ts";
import { writePiHome } from "../model/pi-home.ts";
import { startScriptedModel, type ScriptedModel } from "../model/server.ts";
import { bin, makeRig, rosterOf, type Rig } from "../rig.ts";

const path = process.env["PATH"] ?? "";
const terminal = tmuxTerminal({ PATH: path });

/** Each CLI, how it knows the model, and what its screen says once it takes keys. */
const clis = [
  { name: "Codex", runtime: "codex", bin: process.env["MOSAIC_TEST_CODEX"] ?? "", lay: writeCodexHome },
  { name: "Pi 0.87", runtime: "pi", bin: process.env["MOSAIC_TEST_PI"] ?? "", lay: writePiHome },
  { name: "Pi 1.5", runtime: "pi", bin: process.env["MOSAIC_TEST_PI15"] ?? "", lay: writePiHome },
];

describe.each(clis.filter((cli) => cli.bin !== ""))("looking at $name, for real", ({ runtime, bin: cli, lay }) => {
  let model: ScriptedModel;
  beforeAll(async () => {
    model = await startScriptedModel();
  });
  afterAll(() => model.close());

  async function setUp(): Promise<Rig> {
    const rig = makeRig({ path: cli });
    lay(rig.root, model.url);
    rig.roster(rosterOf(`{ name: mos, role: orchestrator, runtime: ${runtime}, workdir: ~/work }`));
    expect((await rig.fleet("start")).code).toBe(0);
    await shows({ name: "mos", socket: rig.place("mos").terminal }, "scripted-large");
    return rig;
  }
  const shows = async (at: { name: string; socket: string }, text: string) =>
    expect([
      text,
      await until(async () => (await terminal.capture(at)).includes(text) || undefined, { withinMs: 20_000 }),
    ]).toEqual([text, true]);
  const keys = (at: { name: string; socket: string }, ...words: string[]) =>
    spawnSync("tmux", ["-S", at.socket, "send-keys", "-t", `=${at.name}:`, ...words]);
  const asked = (text: string) =>
    until(() => model.asks().some(({ ask }) => ask.lastUser === text) || undefined, { withinMs: 20_000 });

  /** A person's own terminal, in which they type that command. */
  async function person(rig: Rig, verb: "attach" | "watch") {
    const dir = mkdtempSync(join(tmpdir(), "mosaic-person-"));
    const at = { name: verb, socket: join(dir, "s") };
    onTestFinished(async () => {
      await terminal.close(at);
      rmSync(dir, { recursive: true, force: true });
    });
    writeFileSync(join(dir, "run.sh"), `unset TMUX; exec '${process.execPath}' '${bin}' fleet ${verb} mos\n`);
    await terminal.open(at, { script: join(dir, "run.sh"), cwd: dir, env: { ...rig.env, TERM: "tmux-256color" } });
    return at;
  }

  test("attach shows its screen and takes what is typed; the agent gets its size back, and is not hurt", async () => {
    const rig = await setUp();
    const inner = { name: "mos", socket: rig.place("mos").terminal };
    const shown = (format: string) =>
      spawnSync("tmux", ["-S", inner.socket, "display-message", "-p", "-t", "=mos:", format], { encoding: "utf8" });
    const facts = "#{window_width}x#{window_height} #{history_limit} #{alternate_on}";
    expect(shown(facts).stdout.trim()).toBe("200x50 5000 0");
    const before = await rig.agent("mos");
    const at = await person(rig, "attach");
    await shows(at, "scripted-large");
    await shows(at, "detach: C-b d");
    keys(at, "-l", "typed by a person");
    await shows(at, "typed by a person");
    keys(at, "Enter");
    expect(await asked("typed by a person")).toBe(true);
    await shows(at, "echo len=17");
    // An outer tmux would take its own prefix, so the client is told from outside.
    spawnSync("tmux", ["-S", inner.socket, "detach-client", "-s", "=mos"]);
    const back = await until(() => shown(facts).stdout.trim() === "200x50 5000 0" || undefined, { withinMs: 10_000 });
    expect(back).toBe(true);
    const after = await rig.settled("mos", (agent) => agent.state === "idle");
    expect([after.pid, after.restarts]).toEqual([before.pid, 0]);
  });

  test("watch shows its screen and lets nothing through", async () => {
    const rig = await setUp();
    const at = await person(rig, "watch");
    await shows(at, "scripted-large");
    keys(at, "-l", "typed by a watcher");
    keys(at, "Enter");
    await rig.fleet("send", "mos", "sent meanwhile");
    expect(await asked("sent meanwhile")).toBe(true);
    await shows(at, "echo len=14");
    await rig.settled("mos", (agent) => agent.state === "idle");
    expect(await terminal.capture({ name: "mos", socket: rig.place("mos").terminal })).not.toContain("by a watcher");
    expect(model.asks().some(({ ask }) => ask.lastUser.includes("watcher"))).toBe(false);
  });

  test("tail, logs, interrupt and explain tell of it in words", async () => {
    const rig = await setUp();
    const work = "count [[bash echo $((40 + 2))]] [[say the answer]]";
    await rig.fleet("send", "mos", work);
    const told = await until(
      async () => {
        const { out } = await rig.fleet("tail", "mos");
        return out.includes("the answer\n") && !out.endsWith(`${work}\n`) ? out : undefined;
      },
      { withinMs: 20_000 },
    );
    expect(told).toContain(work);
    expect(told).toContain("echo $((40 + 2))");
    expect(told).toMatch(/42$/m);
    await rig.fleet("send", "mos", "stuck [[hang]]");
    expect(await asked("stuck [[hang]]")).toBe(true);
    expect((await rig.fleet("explain", "mos")).out).toMatch(/^mos is working: the harness says so, since /);
    expect((await rig.fleet("interrupt", "mos")).err).toContain("the turn was ended");
    await rig.settled("mos", (agent) => agent.state === "idle");
    await rig.fleet("send", "mos", "refused [[error 401 9]]");
    await rig.settled("mos", (agent) => agent.state === "auth-failed");
    expect((await rig.fleet("explain", "mos")).out).toMatch(
      /^mos is auth-failed: the harness says so, since .*: .*401/,
    );
    expect((await rig.fleet("logs", "mos")).out).toMatch(/ mos +start/);
    expect((await rig.fleet("interrupt", "mos")).err).toContain("nothing to interrupt");
    expect(existsSync(rig.place("mos").exit)).toBe(false);
  });
});
