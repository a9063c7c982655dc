import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { expect, onTestFinished, test } from "vitest";

import { lastLines, newestIn } from "./last-lines.ts";

test("the last megabyte's whole lines, none of a file that is not there", () => {
  const dir = mkdtempSync(join(tmpdir(), "mosaic-lines-"));
  onTestFinished(() => rmSync(dir, { recursive: true, force: true }));
  const file = join(dir, "f");
  expect(lastLines(file)).toEqual([]);
  writeFileSync(file, "one\ntwo");
  expect(lastLines(file)).toEqual(["one", "two"]);
  const line = "x".repeat(1_000);
  writeFileSync(file, `${`${line}\n`.repeat(2_000)}end`);
  const lines = lastLines(file);
  expect([lines.length < 1_100, lines[0], lines.at(-1)]).toEqual([true, line, "end"]);
});

test("the newest of what is looked for, however much else lies between, and no more than there is", () => {
  const dir = mkdtempSync(join(tmpdir(), "mosaic-lines-"));
  onTestFinished(() => rmSync(dir, { recursive: true, force: true }));
  const file = join(dir, "f");
  const said = (line: string) => (line.startsWith("said ") ? [line] : []);
  expect(newestIn(file, 3, said)).toEqual([]);
  const between = `${"x".repeat(1_000)}\n`.repeat(1_500);
  writeFileSync(file, ["one", "two", "three", "four"].map((word) => `said ${word}\n${between}`).join(""));
  expect(newestIn(file, 3, said)).toEqual(["said two", "said three", "said four"]);
  expect(newestIn(file, Infinity, said)).toHaveLength(4);
});
