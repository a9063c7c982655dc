import { expect, test } from "vitest";

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
