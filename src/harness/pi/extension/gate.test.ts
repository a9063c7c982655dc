import { mkdirSync, symlinkSync } from "node:fs";
import { join } from "node:path";

import { expect, test } from "vitest";

import { scratchFolder } from "../../../../test/scratch.ts";
import { beyond, wordsOf } from "./gate.ts";

const may = (floor: "read" | "edit" | "full", tool: string, input: Record<string, unknown> = {}) =>
  beyond(floor, "/work/app", { tool, input }) === undefined;

test("full may all; read may look and talk; edit may change files below its folder; an unknown tool is asked for", () => {
  expect(["bash", "write", "anything"].every((tool) => may("full", tool))).toBe(true);
  expect(["read", "grep", "find", "ls", "fleet_send", "fleet_status"].every((tool) => may("read", tool))).toBe(true);
  expect(
    ["bash", "powershell", "write", "edit", "mcp__x", "new-tool"].some((tool) => may("read", tool, { path: "x" })),
  ).toBe(false);
  expect(["bash", "new-tool"].some((tool) => may("edit", tool))).toBe(false);
});

test.for(["a.ts", "./deep/a.ts", "/work/app/a.ts", "@a.ts"])("edit may write %s", (path) => {
  expect(may("edit", "write", { path })).toBe(true);
});

test.for([
  "../a",
  "~/a",
  "~",
  "@~/a",
  "file:///work/app/a",
  "\u00a0/etc/x",
  " a",
  "/work/app",
  "/work/application/a",
  "/etc/passwd",
  "x/../../a",
  "",
  undefined,
  7,
])("edit may not write %s", (path) => {
  expect(may("edit", "edit", { path })).toBe(false);
});

test.for([
  "mosaic fleet ps",
  "mosaic fleet ps --json",
  "mosaic fleet status mos",
  `mosaic fleet send mos 'it costs $5; done \\ and "so" on\nnext'`,
  'mosaic fleet send mos "all is well; isn\'t it"',
])("every floor may report by %s", (command) => {
  expect([may("read", "bash", { command }), may("edit", "bash", { command })]).toEqual([true, true]);
});

test.for([
  "mosaic fleet stop mos",
  "mosaic fleet psx",
  "mosaic fleet ps > x",
  "mosaic fleet ps; touch x",
  "mosaic fleet ps\ntouch x",
  "mosaic fleet ps & touch x",
  "mosaic fleet send mos $(touch x)",
  'mosaic fleet send mos "$(touch x)"',
  'mosaic fleet send mos "`touch x`"',
  `mosaic fleet send mos 'a'$(touch x)`,
  `mosaic fleet send mos "a\\" ; touch x "`,
  "mosaic fleet send mos 'a' | sh",
  " mosaic fleet ps",
  "x=1 mosaic fleet ps",
  7,
])("no floor below full may run %s unasked", (command) => {
  expect([may("read", "bash", { command }), may("edit", "bash", { command })]).toEqual([false, false]);
});

test("a question has the whole call", () => {
  const words = (tool: string, input: Record<string, unknown>) => wordsOf({ tool, input });
  expect(words("bash", { command: "touch a\ntouch b", timeout: 5 })).toBe("bash touch a\ntouch b");
  expect(words("write", { path: "/x", content: "long" })).toBe("write /x");
  expect(words("mcp__x", { a: 1 })).toBe('mcp__x {"a":1}');
  // Of a tool that we do not know, what is called a command need not be all that matters.
  expect(words("deploy", { command: "ls", host: "prod" })).toBe('deploy {"command":"ls","host":"prod"}');
});

test("a link inside the folder leads nowhere else, whether or not its end exists", () => {
  const root = scratchFolder("gate");
  const folder = join(root, "app");
  mkdirSync(join(folder, "sub"), { recursive: true });
  symlinkSync(root, join(folder, "out"));
  symlinkSync(join(root, "not-yet"), join(folder, "dangling"));
  symlinkSync(folder, join(root, "way-in"));
  const edit = (path: string, workdir = folder) => beyond("edit", workdir, { tool: "write", input: { path } });
  expect([edit("sub/a"), edit("new/deep/a"), edit("a", join(root, "way-in"))]).toEqual([
    undefined,
    undefined,
    undefined,
  ]);
  for (const path of ["out/a", "out/new/a", "dangling", "dangling/a"]) expect(edit(path), path).toContain("below");
});
