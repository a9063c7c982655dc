import { spawn } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import { expect, onTestFinished, test } from "vitest";

import { scratchFolder } from "../../../test/scratch.ts";
import type { AgentPlace } from "../../contract/home.ts";
import { markedProcesses } from "../../lib/proc.ts";
import { quote } from "../../lib/quote.ts";
import type { Desk } from "../harness.ts";
import { questionsOf } from "./permission-hook.ts";
import { eventsFrom, spoolOf, writePlugin } from "./spool.ts";

const event = { hook_event_name: "PermissionRequest", tool_name: "Bash", tool_input: { command: "touch 'x'\n" } };
const seconds = (): number => Math.floor(Date.now() / 1_000);

interface About {
  /** A shell between it and the test is its Claude Code, which the test may kill. */
  mortal?: boolean;
  /** It is a subagent's question, and what Claude Code noted of that subagent. */
  subagent?: "background" | "foreground" | "unknown";
  /** Who is at the terminal: `READONLY LASTKEY` each; undefined where tmux cannot say. */
  clients?: string | undefined;
}

/** The hook as Claude Code runs it; its Claude Code is this test, or that shell. */
function hook({ mortal = false, subagent, ...about }: About = {}) {
  const root = scratchFolder("hook");
  const [folder, config] = [join(root, "it's"), join(root, "config")];
  const place = { dir: folder, terminal: join(folder, "co.tmux") } as AgentPlace;
  const desk = { agent: { name: "co" }, place } as Desk;
  mkdirSync(join(config, "sessions"), { recursive: true });
  const transcript = join(root, "project", "one.jsonl");
  mkdirSync(join(root, "project", "one", "subagents"), { recursive: true });
  if (subagent === "background" || subagent === "foreground")
    writeFileSync(
      join(root, "project", "one", "subagents", "agent-a1.meta.json"),
      JSON.stringify({ agentType: "general-purpose", requestShape: subagent }),
    );
  const tmux = join(root, "tmux");
  const attend = (clients: string | undefined) =>
    writeFileSync(
      tmux,
      `#!/bin/sh\n${clients === undefined ? "exit 1" : `[ "$2" = ${quote(place.terminal)} ] && echo '${clients}'`}\n`,
      {
        mode: 0o700,
      },
    );
  attend("clients" in about ? about.clients : "");
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
  const child = spawn("/bin/sh", ["-c", mortal ? `${command.replace("exec ", "")}; true` : command], {
    env: { PATH: `${root}:${process.env["PATH"]}`, MARK: root },
  });
  let out = "";
  child.stdout.setEncoding("utf8").on("data", (part: string) => (out += part));
  const who = { transcript_path: transcript, ...(subagent && { agent_id: "a1" }) };
  child.stdin.end(`${JSON.stringify({ ...who, ...event })}\n`);
  const ended = new Promise<{ code: number | null; out: string }>((resolve) => {
    child.on("close", (code) => resolve({ code, out }));
  });
  const questions = questionsOf(desk);
  const files = () => (existsSync(questions) ? readdirSync(questions) : []);
  const running = () => markedProcesses([`MARK=${root}`]);
  onTestFinished(() => {
    for (const pid of running()) process.kill(pid, "SIGKILL");
  });
  const asks = () => expect.poll(files, { timeout: 5_000 }).toEqual([expect.stringMatching(/^[0-9a-f-]{13}\.json$/)]);
  const answer = (word: string) => {
    writeFileSync(join(questions, (files()[0] ?? "").replace(".json", ".answer")), `${word}\n`);
    child.kill("SIGUSR1");
  };
  return { child, ended, files, running, asks, answer, attend, says, folder: questions, spool: spoolOf(desk) };
}

/** How long it sleeps just now. */
const sleepsOf = (one: ReturnType<typeof hook>): string[] =>
  one.running().flatMap((pid) => {
    try {
      const [program, length] = readFileSync(`/proc/${pid}/cmdline`, "utf8").split("\0");
      return program === "sleep" && length !== undefined ? [length] : [];
    } catch {
      return []; // awake
    }
  });

test("the answer that it is given it hands on as it is, and what is none decides nothing", async () => {
  const decision = JSON.stringify({ decision: { behavior: "allow", updatedInput: { plan: "it's %s \\n done" } } });
  for (const word of [decision, "perhaps"]) {
    const one = hook();
    await one.asks();
    const written = JSON.parse(readFileSync(join(one.folder, one.files()[0] ?? ""), "utf8")) as object;
    const hookPid = one.child.pid;
    expect(written).toMatchObject({ claude: { pid: process.pid }, hook: { pid: hookPid }, background: false, event });
    expect(eventsFrom(one.spool, 0)).toMatchObject([{ event }]);
    one.answer(word);
    const { code, out } = await one.ended;
    expect([code, out]).toEqual([0, word === decision ? `${decision}\n` : ""]);
    await expect.poll(() => [one.files(), one.running()]).toEqual([[], []]);
  }
});

test("an answer whose signal was lost is found all the same", async () => {
  const one = hook();
  await one.asks();
  writeFileSync(join(one.folder, (one.files()[0] ?? "").replace(".json", ".answer")), "{}\n");
  expect((await one.ended).out).toBe("{}\n");
});

test("it ends by itself where its dialog is over: no longer waiting, waiting since another moment, killed", async () => {
  const [idle, next, killed] = [hook(), hook(), hook({ mortal: true })];
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

test("what a subagent in the background asks it holds while nobody is at the terminal, whatever the registry says", async () => {
  const [answered, taken, killed] = [
    hook({ subagent: "background" }),
    hook({ subagent: "background" }),
    hook({ subagent: "background", mortal: true }),
  ];
  const all = [answered, taken, killed];
  await Promise.all(all.map((one) => one.asks()));
  for (const one of all) one.says("busy", 2);
  // Somebody who looks on and cannot type, and somebody who left without a word.
  for (const one of [answered, taken]) one.attend(`1 ${seconds()}\n0 ${seconds() - 61}`);
  // By then one that waits with its dialog would have ended: it has looked twice.
  await expect.poll(() => sleepsOf(taken), { timeout: 9_000 }).toContain("3");
  expect(all.map((one) => one.files().length)).toEqual([1, 1, 1]);
  const written = JSON.parse(readFileSync(join(taken.folder, taken.files()[0] ?? ""), "utf8")) as object;
  expect(written).toMatchObject({ background: true });
  answered.answer("{}");
  expect((await answered.ended).out).toBe("{}\n");
  taken.attend(`1 ${seconds()}\n0 ${seconds() - 5}`);
  killed.child.kill("SIGKILL");
  for (const one of all) {
    await expect.poll(() => [one.files(), one.running()], { timeout: 9_000 }).toEqual([[], []]);
    expect((await one.ended).out).toBe(one === answered ? "{}\n" : "");
  }
});

test.for([`0 ${seconds()}`, undefined])(
  "a subagent's question it leaves at once to a terminal where somebody is, or may be: %s",
  async (clients) => {
    const one = hook({ subagent: "background", clients });
    expect(await one.ended).toEqual({ code: 0, out: "" });
    // Nor has it been asked here for a moment.
    expect([existsSync(one.folder), eventsFrom(one.spool, 0).length]).toEqual([false, 1]);
  },
);

test.for(["foreground", "unknown"] as const)(
  "a subagent of which it is not noted that it is in the background has a dialog: %s",
  async (subagent) => {
    const [shown, not] = [hook({ subagent, clients: `0 ${seconds()}` }), hook({ subagent })];
    await Promise.all([shown.asks(), not.asks()]);
    not.says("busy", 2);
    // Then Claude Code opens one.
    expect(await not.ended).toEqual({ code: 0, out: "" });
    expect(shown.files().length).toBe(1);
    shown.answer("{}");
    expect((await shown.ended).out).toBe("{}\n");
  },
);
