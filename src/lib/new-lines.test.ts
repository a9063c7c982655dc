import { appendFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import { expect, test } from "vitest";

import { scratchFolder } from "../../test/scratch.ts";
import { newLines } from "./new-lines.ts";

test("each whole line once, a cut one when it is whole, and all of it where the file is another one", () => {
  const file = join(scratchFolder("lines"), "grows");
  expect(newLines(file, undefined, 100)).toBeUndefined();
  writeFileSync(file, "one\ntwo\nthr");
  const first = newLines(file, undefined, 100);
  expect([first?.lines, first?.anew]).toEqual([["one", "two"], true]);
  appendFileSync(file, "ee\n");
  const second = newLines(file, first?.read, 100);
  expect([second?.lines, second?.anew]).toEqual([["three"], false]);
  expect(newLines(file, second?.read, 100)?.lines).toEqual([]);
  writeFileSync(`${file}.new`, "another, and longer than before\n");
  renameSync(`${file}.new`, file);
  expect(newLines(file, second?.read, 100)).toMatchObject({ lines: ["another, and longer than before"], anew: true });
});

test("of a long file only the end is read at first; the line that this cuts is the caller's to see through", () => {
  const file = join(scratchFolder("lines"), "long");
  writeFileSync(file, `${"x".repeat(100)}\nlast\n`);
  expect(newLines(file, undefined, 8)?.lines).toEqual(["xx", "last"]);
});
