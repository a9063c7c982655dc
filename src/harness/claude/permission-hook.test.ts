import { spawn } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import { expect, onTestFinished, test } from "vitest";

import { scratchFolder } from "../../../test/scratch.ts";
import type { AgentPlace } from "../../contract/home.ts";
import { markedProcesses } from "../../lib/proc.ts";
import type { Desk } from "../harness.ts";
import { questionsOf } from "./permission-hook.ts";
import { eventsFrom, spoolOf, writePlugin } from "./spool.ts";

const event = { hook_event_name: "PermissionRequest", tool_name: "Bash", tool_input: { command: "touch 'x'\n" } };

/** The hook as Claude Code runs it; its Claude Code is this test, or a shell that the test may kill. */
function hook(about: object | "killed" = {}) {
  const root = scratchFolder("hook");
  const [desk, config] = [{ place: { dir: join(root, "it's") } as AgentPlace } as Desk, join(root, "config")];
  mkdirSync(join(config, "sessions"), { recursive: true });
  const says = (status: string, since: number, pid = process.pid) =>
    writeFileSync(
      join(config, "sessions", `${pid}.json`),
      JSON.stringify({ pid, status, statusUpdatedAt: since, waitingFor: "x" }),
    );
  says("waiting", 1);
  const hooks = JSON.parse(readFileSync(join(writePlugin(desk, config), "hooks/hooks.json"), "utf8")) as {
    hooks: Record<string, { hooks: [{ command: string }] }[]>;
  };
  const command = hooks.hooks["PermissionRequest"]?.[0]?.hooks[0].command ?? "";
  const child = spawn("/bin/sh", ["-c", about === "killed" ? `${command.replace("exec ", "")}; true` : command], {
    env: { PATH: process.env["PATH"], MARK: root },
  });
  let out = "";
  child.stdout.setEncoding("utf8").on("data", (part: string) => (out += part));
  child.stdin.end(`${JSON.stringify({ ...event, ...(about !== "killed" && about) })}\n`);
  const ended = new Promise<{ code: number | null; out: string }>((resolve) => {
    child.on("close", (code) => resolve({ code, out }));
  });
  const folder = questionsOf(desk);
  const files = () => (existsSync(folder) ? readdirSync(folder) : []);
  const running = () => markedProcesses([`MARK=${root}`]);
  onTestFinished(() => {
    for (const pid of running()) process.kill(pid, "SIGKILL");
  });
  const asks = () => expect.poll(files, { timeout: 5_000 }).toEqual([expect.stringMatching(/^[0-9a-f-]{13}\.json$/)]);
  const answer = (word: string) => {
    writeFileSync(join(folder, (files()[0] ?? "").replace(".json", ".answer")), `${word}\n`);
    child.kill("SIGUSR1");
  };
  return { child, ended, files, running, asks, answer, says, folder, spool: spoolOf(desk) };
}

test("the answer that it is given is its own, and a word that is none decides nothing", async () => {
  for (const [word, decision] of [
    ["allow", { behavior: "allow" }],
    ["deny", { behavior: "deny", message: "A person was asked and did not allow it." }],
    ["perhaps", undefined],
  ] as const) {
    const one = hook();
    await one.asks();
    const written = JSON.parse(readFileSync(join(one.folder, one.files()[0] ?? ""), "utf8")) as object;
    expect(written).toMatchObject({ claude: { pid: process.pid }, hook: { pid: one.child.pid }, event });
    expect(eventsFrom(one.spool, 0)).toMatchObject([{ event }]);
    one.answer(word);
    const { code, out } = await one.ended;
    expect(code).toBe(0);
    const said = { hookSpecificOutput: { hookEventName: "PermissionRequest", decision } };
    expect(out).toBe(decision === undefined ? "" : `${JSON.stringify(said)}\n`);
    await expect.poll(() => [one.files(), one.running()]).toEqual([[], []]);
  }
});

test("an answer whose signal was lost is found all the same", async () => {
  const one = hook();
  await one.asks();
  writeFileSync(join(one.folder, (one.files()[0] ?? "").replace(".json", ".answer")), "allow\n");
  expect((await one.ended).out).toContain('"behavior":"allow"');
});

test("it ends by itself where its dialog is over: no longer waiting, waiting since another moment, killed", async () => {
  const [idle, next, killed] = [hook(), hook(), hook("killed")];
  await Promise.all([idle, next, killed].map((one) => one.asks()));
  const napping = () => next.running().find((pid) => pid !== next.child.pid);
  const first = napping();
  killed.says("waiting", 1, killed.child.pid);
  idle.says("idle", 2);
  killed.child.kill("SIGKILL");
  // What it waits for since another moment is another question; it has looked once when it sleeps again.
  await expect.poll(() => [undefined, first].includes(napping()), { timeout: 5_000 }).toBe(false);
  next.says("waiting", 2);
  for (const one of [idle, next, killed]) {
    await expect.poll(() => [one.files(), one.running()], { timeout: 9_000 }).toEqual([[], []]);
    expect((await one.ended).out).toBe("");
  }
});

test("told to end, it leaves nothing", async () => {
  const one = hook();
  await one.asks();
  await expect.poll(() => one.running().length).toBe(2); // with its sleep
  one.child.kill("SIGTERM");
  expect(await one.ended).toEqual({ code: 0, out: "" });
  await expect.poll(() => [one.files(), one.running()]).toEqual([[], []]);
});

test.for([{ tool_name: "AskUserQuestion" }, { tool_name: "ExitPlanMode" }, { agent_id: "a1" }])(
  "what is not for it to ask it leaves at once: %o",
  async (about) => {
    const one = hook(about);
    expect(await one.ended).toEqual({ code: 0, out: "" });
    expect([one.files(), eventsFrom(one.spool, 0).length]).toEqual([[], 1]);
  },
);
