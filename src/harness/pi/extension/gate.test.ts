import { mkdirSync, symlinkSync } from "node:fs";
import { join } from "node:path";

import { expect, test } from "vitest";

import { scratchFolder } from "../../../../test/scratch.ts";
import { refusal } from "./gate.ts";

const may = (floor: "read" | "edit" | "full", tool: string, input: Record<string, unknown> = {}) =>
  refusal(floor, "/work/app", { tool, input }) === undefined;

test("full may all; read may look and talk; edit may change files below its folder; an unknown tool is refused", () => {
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

test("a link inside the folder leads nowhere else, whether or not its end exists", () => {
  const root = scratchFolder("gate");
  const folder = join(root, "app");
  mkdirSync(join(folder, "sub"), { recursive: true });
  symlinkSync(root, join(folder, "out"));
  symlinkSync(join(root, "not-yet"), join(folder, "dangling"));
  symlinkSync(folder, join(root, "way-in"));
  const edit = (path: string, workdir = folder) => refusal("edit", workdir, { tool: "write", input: { path } });
  expect([edit("sub/a"), edit("new/deep/a"), edit("a", join(root, "way-in"))]).toEqual([
    undefined,
    undefined,
    undefined,
  ]);
  for (const path of ["out/a", "out/new/a", "dangling", "dangling/a"]) expect(edit(path), path).toContain("below");
});
