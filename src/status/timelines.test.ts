import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

import { expect, test } from "vitest";

import type { Moment } from "../../test/harness/timeline.ts";
import { derive } from "./derive.ts";

/** Evidence recorded on the real CLIs (test/harness, MOSAIC_RECORD=1), derived again without them. */
const folder = join(import.meta.dirname, "..", "..", "test", "timelines");
const files = readdirSync(folder);

test("every harness that has states of its own has a timeline", () => {
  expect(files.toSorted()).toEqual(["claude.jsonl", "codex.jsonl", "opencode.jsonl", "pi-1.5.jsonl", "pi.jsonl"]);
});

test.for(files)("%s: every step's state follows from its evidence", (file) => {
  const moments = readFileSync(join(folder, file), "utf8")
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line) as Moment);
  expect(moments.length).toBeGreaterThanOrEqual(30);
  for (const { step, at, facts, expect: wanted } of moments)
    expect([step, derive(facts, at).state]).toEqual([step, wanted]);
});
