import { spawnSync } from "node:child_process";
import { mkdirSync, readdirSync, readFileSync, statSync, symlinkSync } from "node:fs";
import { join } from "node:path";

import { expect, test } from "vitest";

import { scratchFolder } from "../../../test/scratch.ts";
import { oddTexts } from "../../../test/texts.ts";
import type { AgentPlace } from "../../contract/home.ts";
import type { Desk } from "../harness.ts";
import { codeOf, dropWarrant, dropWarrants, layWarrant, writeWarrantHook } from "./warrant.ts";

function setUp() {
  const desk = { place: { dir: join(scratchFolder("warrant"), "it's") } as AgentPlace } as Desk;
  const command = writeWarrantHook(desk);
  const run = (input: string, pid: number, path = process.env["PATH"]) =>
    spawnSync("/bin/sh", ["-c", command], { input, env: { PATH: path, CLAUDE_PID: String(pid) }, encoding: "utf8" });
  /** As Claude Code runs it when a prompt enters the conversation; what its model then reads. */
  const enters = (prompt: string, pid = 7, path?: string): string | undefined => {
    const event = { session_id: "s", hook_event_name: "UserPromptSubmit", prompt, session_title: "mos" };
    const { stdout, stderr, status } = run(`${JSON.stringify(event)}\n`, pid, path);
    expect([stderr, status]).toEqual(["", 0]);
    if (stdout === "") return undefined;
    const said = JSON.parse(stdout) as { hookSpecificOutput: { hookEventName: string; additionalContext: string } };
    expect(said.hookSpecificOutput.hookEventName).toBe("UserPromptSubmit");
    return said.hookSpecificOutput.additionalContext;
  };
  const lay = (id: string, text: string, pid = 7) => layWarrant(desk, { pid, uuid: `u-${id}`, id, text });
  const files = () => readdirSync(join(desk.place.dir, "warrants")).filter((name) => name !== "code");
  return { desk, run, enters, lay, files };
}

test("the owner's words are warranted once, by id and code, whatever they hold", () => {
  const { desk, enters, lay, files } = setUp();
  const texts = [
    ...oddTexts,
    "ends with a line\n",
    "\u0000 \u0081\u0088 \u2028 \ud800",
    "'$(id)' *?[a-z] \\n %s",
    "x\n".repeat(60_000),
  ];
  for (const [at, text] of texts.entries()) {
    lay(`m-${at}`, text);
    const note = enters(text);
    expect([text.slice(0, 20), note?.includes(`message m-${at}, which reads`)]).toEqual([text.slice(0, 20), true]);
    expect(note).toContain(`mosaic, code ${codeOf(desk)}:`);
    expect(enters(text)).toBeUndefined();
  }
  expect(files()).toEqual([]);
});

test("nobody else's are: neither other words, nor more or fewer, nor words that speak of a prompt", () => {
  const { enters, lay, files } = setUp();
  lay("m", "go on");
  for (const other of [
    "go",
    "go on ",
    " go on",
    "go on\n",
    "Go on",
    '"prompt":"go on"',
    '","prompt":"go on","x":"',
    "*",
    "",
  ])
    expect([other, enters(other)]).toEqual([other, undefined]);
  expect(enters("go on", 8)).toBeUndefined(); // another Claude Code
  expect(files()).toHaveLength(1);
  expect(enters("go on")).toContain('message m, which reads "go on"');
});

test("the same words twice are two warrants, one for each message", () => {
  const { enters, lay } = setUp();
  lay("m-1", "yes");
  lay("m-2", "yes");
  const notes = [enters("yes"), enters("yes"), enters("yes")];
  expect(new Set(notes.map((note) => /message (\S+),/.exec(note ?? "")?.[1]))).toEqual(
    new Set(["m-1", "m-2", undefined]),
  );
});

test("a long message is named by how it begins and ends", () => {
  const { enters, lay } = setUp();
  const text = `begin ${"x".repeat(9_000)} end`;
  lay("m", text);
  const note = enters(text) ?? "";
  expect([note.length < 1_500, note.includes('"begin xxx'), note.includes('xxx end"')]).toEqual([true, true, true]);
});

test("what did not get there, what was an earlier process's, and what an ended agent leaves is warranted no more", () => {
  const { desk, enters, lay, files } = setUp();
  lay("m", "a");
  dropWarrant(desk, { pid: 7, uuid: "u-m" });
  expect(enters("a")).toBeUndefined();
  lay("m", "b", 7);
  lay("n", "c", 9);
  expect(files()).toEqual(["9-u-n"]);
  const code = codeOf(desk);
  dropWarrants(desk);
  expect([files(), codeOf(desk)]).toEqual([[], code]); // the agent was told it, and remembers
});

test("warrants are the owner's alone to read, and their hook needs next to nothing and breaks no turn", () => {
  const { desk, run, enters, lay, files } = setUp();
  expect(run("{}", 7)).toMatchObject({ status: 0, stdout: "", stderr: "" }); // no folder yet
  lay("m", "a");
  const folder = join(desk.place.dir, "warrants");
  expect(statSync(folder).mode & 0o777).toBe(0o700);
  for (const name of readdirSync(folder)) expect(statSync(join(folder, name)).mode & 0o777).toBe(0o600);
  expect(run("no JSON", 7)).toMatchObject({ status: 0, stdout: "", stderr: "" });
  const bare = join(desk.place.dir, "bare");
  mkdirSync(bare);
  for (const tool of ["cat", "sed", "rm"]) {
    symlinkSync(spawnSync("sh", ["-c", `command -v ${tool}`], { encoding: "utf8" }).stdout.trim(), join(bare, tool));
  }
  expect(enters("a", 7, "/nonexistent")).toBeUndefined();
  expect(enters("a", 7, bare)).toContain("message m,");
  expect(files()).toEqual([]);
  expect(readFileSync(join(desk.place.dir, "warrant.sh"), "utf8")).toContain("exit 0");
});
