import { readdirSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";

import { expect, test } from "vitest";

const dist = resolve(import.meta.dirname, "..", "..", "dist");

/** The bundle's files that one of them loads before it begins, itself included. */
function loadedBy(file: string, seen = new Set<string>()): Set<string> {
  if (seen.has(file)) return seen;
  seen.add(file);
  const text = readFileSync(join(dist, file), "utf8");
  for (const [, next = ""] of text.matchAll(/(?:from|import)\s*"\.\/([\w.-]+\.js)"/g)) loadedBy(next, seen);
  return seen;
}

test("what `ps` and `send` load holds no YAML, no schemas, no chat and no server: they would cost more than all the rest", () => {
  const core = readdirSync(dist).find((file) => /^core-.*\.js$/.test(file)) ?? "";
  const files = [
    ...loadedBy("main.js"),
    ...loadedBy(core),
    ...loadedBy(readdirSync(dist).find((file) => file.startsWith("send-")) ?? ""),
  ];
  const text = [...new Set(files)].map((file) => readFileSync(join(dist, file), "utf8")).join("\n");
  expect(text).toContain("mosaic fleet ps"); // it is the bundle that was looked at
  for (const foreign of [
    "YAMLMap",
    "ZodError",
    "identify",
    "text/event-stream",
    "INTERACTION_CREATE",
    "json_extract(body",
  ])
    expect(text.includes(foreign), foreign).toBe(false);
});
