import { spawnSync } from "node:child_process";
import { join } from "node:path";

import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest";

import { quote } from "../../src/lib/quote.ts";
import { startScriptedModel, type ScriptedModel } from "../model/server.ts";
import { bin, type Rig } from "../rig.ts";
import { claudeBin, claudeFleet, sign, signsOf } from "./claude-rig.ts";

let model: ScriptedModel;
beforeAll(async () => {
  model = await startScriptedModel();
});
afterAll(() => model.close());

async function setUp() {
  const rig = await claudeFleet(model, "read");
  return { rig, ...signsOf(rig, "mos", model) };
}

/** A person's terminal: a tmux of its own in which the product's own verb is typed. */
function person(rig: Rig, verb: "attach" | "watch", size: { columns: number; rows: number }) {
  const socket = join(rig.root, `${verb}.tmux`);
  const tmux = (...args: string[]) =>
    spawnSync("tmux", ["-u", "-S", socket, "-f", "/dev/null", ...args], {
      env: { ...rig.env, TERM: "tmux-256color" },
      encoding: "utf8",
    });
  const line = [process.execPath, bin, "fleet", verb, "mos"].map(quote).join(" ");
  const [columns, rows] = [String(size.columns), String(size.rows)];
  expect(tmux("new-session", "-d", "-s", "p", "-x", columns, "-y", rows, line).status).toBe(0);
  onTestFinished(() => void tmux("kill-server"));
  const screen = () => tmux("capture-pane", "-p", "-J", "-t", "=p:").stdout;
  return {
    press: (...keys: string[]) => tmux("send-keys", "-t", "=p:", ...keys),
    shows: (text: string) =>
      sign(`${text} for the ${verb}er`, () => (screen().includes(text) ? true : undefined), screen),
    gone: () => sign("the view's end", () => (tmux("has-session", "-t", "=p").status === 0 ? undefined : true)),
  };
}

describe.skipIf(claudeBin === "")("a person at Claude Code's terminal, for real", () => {
  test("attach shows it and types to it, in the person's size; detached, it has its own size again", async () => {
    const { rig, tmux, asked, transcript } = await setUp();
    const format = (what: string) => tmux("display", "-p", "-t", "=mos:", what).stdout.trim();
    expect(format("#{alternate_on} #{window_width}x#{window_height} #{history_limit}")).toBe("0 200x50 5000");
    const me = person(rig, "attach", { columns: 90, rows: 30 });
    await me.shows("acme: mos");
    await sign("the person's size", () => (format("#{window_width}") === "90" ? true : undefined));
    me.press("-l", "TYPED by hand");
    await me.shows("TYPED by hand");
    me.press("Enter");
    await asked("TYPED by hand", "sent");
    await me.shows("echo len=13");
    await sign("the words in the conversation", () => (transcript().includes("TYPED by hand") ? true : undefined));
    const { pid } = await rig.agent("mos");
    me.press("C-b", "d");
    await me.gone();
    await sign("its own size", () => (format("#{window_width}x#{window_height}") === "200x50" ? true : undefined));
    expect(await rig.agent("mos")).toMatchObject({ state: "idle", pid, restarts: 0 });
  });

  test("watch shows it, and neither keys nor the watcher's size reach it", async () => {
    const { rig, tmux, shows, asked } = await setUp();
    const me = person(rig, "watch", { columns: 120, rows: 40 });
    await rig.fleet("send", "mos", "WATCHED [[say seen by the watcher]]");
    await me.shows("seen by the watcher");
    me.press("-l", "not for you");
    me.press("Enter");
    // What came after the keys is shown: they have been read by then.
    await rig.fleet("send", "mos", "AFTER [[say after the keys]]");
    await asked("AFTER", "sent");
    await me.shows("after the keys");
    await shows("after the keys");
    expect(tmux("capture-pane", "-p", "-t", "=mos:").stdout).not.toContain("not for you");
    expect(model.asks().filter((one) => one.ask.lastUser.includes("not for you"))).toEqual([]);
    expect(tmux("display", "-p", "-t", "=mos:", "#{window_width}x#{window_height}").stdout).toBe("200x50\n");
  });

  test("tail, explain, interrupt and logs tell the same story", async () => {
    const { rig, asked, shows, press, tmux } = await setUp();
    await rig.fleet("send", "mos", "STORY [[bash touch x]] [[hang]]");
    await shows("Do you want to proceed?");
    const waiting = await rig.fleet("explain", "mos");
    expect(waiting.out).toContain("mos is waiting-permission: the harness says so");
    expect(waiting.out).toContain("permission prompt: Bash touch x");
    press("Enter");
    await asked("STORY", "open", 2);
    const tail = await rig.fleet("tail", "mos");
    expect(tail.out).toContain("→ STORY");
    expect(tail.out).toMatch(/· Bash .*touch x/);
    expect((await rig.fleet("interrupt", "mos")).err).toContain("the turn was ended");
    await asked("STORY", "aborted", 2);
    expect((await rig.fleet("explain", "mos")).out).toContain("mos is idle");
    const json = JSON.parse((await rig.fleet("tail", "mos", "--json")).out) as { said: { who: string }[] };
    expect(json.said.map((line) => line.who)).toEqual(expect.arrayContaining(["user", "tool"]));
    // More than a screen: what has scrolled away can still be captured.
    const many = Array.from({ length: 80 }, (_, at) => `line ${at}`).join("\n");
    await rig.fleet("send", "mos", `LONG [[say ${many}]]`);
    await shows("line 79");
    expect(tmux("capture-pane", "-p", "-S", "-", "-t", "=mos:").stdout).toMatch(/line 0\n[\s\S]*line 79/);
    expect((await rig.fleet("stop")).code).toBe(0);
    const logs = (await rig.fleet("logs", "mos")).out;
    expect(logs).toMatch(/mos +start/);
    expect(logs).toMatch(/mos +stop/);
    expect((await rig.fleet("tail", "mos")).out).toContain("line 79");
  });
});
