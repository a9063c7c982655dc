import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { expect, onTestFinished, test } from "vitest";

import { comes } from "../../test/comes.ts";
import { exec } from "../lib/exec.ts";
import { until } from "../lib/wait.ts";
import { tmuxTerminal } from "./tmux.ts";

const env = { PATH: process.env["PATH"] ?? "" };
const terminal = tmuxTerminal(env);

async function open(name: string, script: string, extra: Record<string, string> = {}) {
  const dir = mkdtempSync(join(tmpdir(), "mosaic-tmux-"));
  const at = { name, socket: join(dir, "s") };
  onTestFinished(async () => {
    await terminal.close(at);
    rmSync(dir, { recursive: true, force: true });
  });
  writeFileSync(join(dir, "run.sh"), script);
  await terminal.open(at, { script: join(dir, "run.sh"), cwd: dir, env: { ...env, ...extra } });
  return { at, dir, tmux: (...args: string[]) => exec(["tmux", "-S", at.socket, ...args], { env }) };
}
const shows = (at: { name: string; socket: string }, text: string, times = 1) =>
  until(async () => ((await terminal.capture(at, 5_000)).split(text).length - 1 >= times ? true : undefined), {
    withinMs: 10_000,
  });

test.for([
  "hi; $(id) 'q' {x} -t;",
  "ends with a semicolon;",
  "-t --flag first",
  "{pane} #{pane_id} #(id) %i",
  "naïve → 世界 🎉",
  "C-c Enter Escape",
])("text is submitted exactly as typed: %s", async (text) => {
  const { at } = await open("mos", "exec cat");
  await terminal.type(at, text);
  // Once as typed, once as cat's answer: the answer proves that Enter was pressed.
  expect(await shows(at, text, 2)).toBe(true);
});

test("many senders at once: every message arrives whole, once", async () => {
  const { at, dir } = await open("mos", "stty -echo -icanon; : >ready; exec cat >got");
  await comes(() => exists(join(dir, "ready")), { withinMs: 10_000 });
  const messages = Array.from({ length: 40 }, (_, n) => `<${n}:${"x".repeat(n * 20)};>`);
  await Promise.all(messages.map((message) => terminal.type(at, message)));
  const got = () =>
    readFileSync(join(dir, "got"), "utf8")
      .split(/[\r\n]+/)
      .filter(Boolean);
  await comes(() => (got().length >= messages.length ? true : undefined), { withinMs: 20_000 });
  expect(got().toSorted()).toEqual(messages.toSorted());
});

test("200 kB in one paste arrive whole", async () => {
  const { at, dir } = await open("mos", "stty -echo -icanon; : >ready; exec cat >got");
  await comes(() => exists(join(dir, "ready")), { withinMs: 10_000 });
  const text = "0123456789".repeat(20_000);
  await terminal.type(at, text);
  await comes(() => (readFileSync(join(dir, "got"), "utf8").length > text.length ? true : undefined), {
    withinMs: 20_000,
  });
  expect(readFileSync(join(dir, "got"), "utf8").trim()).toBe(text);
});

test("a terminal is found by its whole name: co is not co-1", async () => {
  const { at } = await open("co-1", "exec cat");
  expect(await terminal.isOpen(at)).toBe(true);
  expect(await terminal.isOpen({ ...at, name: "co" })).toBe(false);
  await expect(terminal.type({ ...at, name: "co" }, "x")).rejects.toThrow("type to co");
  await expect(terminal.press({ ...at, name: "co" }, "C-c")).rejects.toThrow("co");
});

test("closing ends what runs, is no error twice, and the same socket opens again at once, many times", async () => {
  const { at, dir } = await open("mos", "exec sleep 1000");
  for (let round = 0; round < 10; round++) {
    await terminal.close(at);
    expect(await terminal.isOpen(at)).toBe(false);
    await terminal.open(at, { script: join(dir, "run.sh"), cwd: dir, env });
    expect(await terminal.isOpen(at)).toBe(true);
  }
  await terminal.close(at);
  await terminal.close(at);
});

test("a script that ends at once ran exactly once", async () => {
  for (let round = 0; round < 10; round++) {
    const { dir } = await open("mos", "echo x >>ran");
    await comes(() => exists(join(dir, "ran")), { withinMs: 10_000 });
    expect(readFileSync(join(dir, "ran"), "utf8")).toBe("x\n");
  }
});

test("opening what is open already is refused", async () => {
  const { at, dir } = await open("mos", "exec sleep 1000");
  await expect(terminal.open(at, { script: join(dir, "run.sh"), cwd: dir, env })).rejects.toThrow(
    "Cannot open a terminal for mos",
  );
}, 20_000);

test("an attached person gets their own size, and the agent its fixed size again when they leave", async () => {
  const { at, tmux } = await open("mos", "exec sleep 1000");
  const size = async () =>
    (await tmux("display-message", "-p", "-t", "=mos:", "#{window_width}x#{window_height}")).stdout.trim();
  expect(await size()).toBe("200x50");
  const outer = await open(
    "outer",
    `unset TMUX; exec ${terminal
      .viewer(at, { readOnly: false })
      .map((word) => `'${word}'`)
      .join(" ")}`,
  );
  expect(await until(async () => ((await size()) === "200x49" ? true : undefined), { withinMs: 10_000 })).toBe(true);
  await outer.tmux("resize-window", "-t", "=outer:", "-x", "90", "-y", "30");
  expect(await until(async () => ((await size()) === "90x29" ? true : undefined), { withinMs: 10_000 })).toBe(true);
  await terminal.close(outer.at);
  expect(await until(async () => ((await size()) === "200x50" ? true : undefined), { withinMs: 10_000 })).toBe(true);
});

test("a watcher neither types nor resizes, and leaves no viewer when its own terminal dies", async () => {
  const { at, tmux } = await open("mos", "exec cat");
  const outer = await open(
    "outer",
    `unset TMUX; exec ${terminal
      .viewer(at, { readOnly: true })
      .map((word) => `'${word}'`)
      .join(" ")}`,
  );
  const clients = async () => (await tmux("list-clients", "-F", "#{client_pid} #{client_readonly}")).stdout.trim();
  expect(await until(async () => ((await clients()).endsWith(" 1") ? true : undefined), { withinMs: 10_000 })).toBe(
    true,
  );
  await outer.tmux("send-keys", "-t", "=outer:", "typed by a watcher", "Enter");
  await terminal.type(at, "typed by its owner");
  expect(await shows(at, "typed by its owner", 2)).toBe(true);
  expect(await terminal.capture(at)).not.toContain("typed by a watcher");
  const server = Number((await outer.tmux("display-message", "-p", "#{pid}")).stdout);
  process.kill(server, "SIGKILL");
  expect(await until(async () => ((await clients()) === "" ? true : undefined), { withinMs: 10_000 })).toBe(true);
});

test("a person's own variables do not follow them into the agent's terminal", async () => {
  const { at, tmux } = await open("mos", "exec sleep 1000");
  const outer = await open(
    "outer",
    `unset TMUX; export SSH_AUTH_SOCK=/canary DISPLAY=canary; exec ${terminal
      .viewer(at, { readOnly: false })
      .map((word) => `'${word}'`)
      .join(" ")}`,
  );
  await comes(async () => ((await tmux("list-clients")).stdout === "" ? undefined : true), { withinMs: 10_000 });
  const shown = await Promise.all([tmux("show-environment", "-g"), tmux("show-environment", "-t", "=mos")]);
  expect(shown.map((one) => one.stdout).join("")).not.toContain("canary");
  await terminal.close(outer.at);
});

function exists(path: string): true | undefined {
  try {
    readFileSync(path);
    return true;
  } catch {
    return undefined;
  }
}

test("a program that asks for bracketed paste gets one, with the line breaks as they were", async () => {
  const { at, dir } = await open("mos", "stty raw -echo; printf '\\033[?2004h'; : >ready; exec cat >got");
  await comes(() => exists(join(dir, "ready")), { withinMs: 10_000 });
  await comes(async () => ((await terminal.capture(at)) === undefined ? undefined : true), { withinMs: 1_000 });
  const got = () => readFileSync(join(dir, "got"), "latin1");
  // The terminal has to have read the request before the paste: once it has, every paste is bracketed.
  await comes(
    async () => {
      await terminal.type(at, "one\ntwo");
      return got().includes("\u001b[200~one\ntwo\u001b[201~\r") || undefined;
    },
    { withinMs: 5_000, everyMs: 100 },
  );
  expect(got()).toContain("\u001b[200~one\ntwo\u001b[201~\r");
});

test("a terminal whose program ended is closed, and does not stay as a corpse", async () => {
  const { at } = await open("mos", "exit 3");
  expect(await until(async () => ((await terminal.isOpen(at)) ? undefined : true), { withinMs: 5_000 })).toBe(true);
});

test("a terminal opened while the last server of that socket still ends stays open", async () => {
  const { at, dir, tmux } = await open("mos", "exec sleep 1000");
  for (let round = 0; round < 20; round++) {
    await tmux("kill-server");
    await terminal.open(at, { script: join(dir, "run.sh"), cwd: dir, env });
    expect(await terminal.isOpen(at), `round ${round}`).toBe(true);
  }
});
