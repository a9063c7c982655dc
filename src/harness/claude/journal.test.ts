import { appendFileSync, existsSync } from "node:fs";
import { join } from "node:path";

import { expect, test } from "vitest";

import { scratchFolder } from "../../../test/scratch.ts";
import { keep, lastWord, lastWords } from "./journal.ts";

const fresh = () => join(scratchFolder("claude-journal"), "journal.jsonl");

test("the newest word of each message, with what the words before it have told", () => {
  const path = fresh();
  keep(path, { at: 1, kind: "putting", id: "a", process: "7:1", session: "s", size: 90 });
  keep(path, { at: 2, kind: "putting", id: "b", process: "7:1" });
  keep(path, { at: 3, kind: "taken", id: "a", process: "7:1" });
  expect(lastWord(path, "a")).toEqual({ at: 3, kind: "taken", id: "a", process: "7:1", session: "s", size: 90 });
  expect([...lastWords(path, ["a", "b", "c"]).keys()]).toEqual(["a", "b"]);
});

test("a line that a kill cut off spoils neither the lines before nor the next one", () => {
  const path = fresh();
  keep(path, { at: 1, kind: "taken", id: "a", process: "7:1" });
  appendFileSync(path, '{"at":2,"kind":"deliv');
  keep(path, { at: 3, kind: "putting", id: "b", process: "7:1" });
  expect([lastWord(path, "a")?.kind, lastWord(path, "b")?.kind]).toEqual(["taken", "putting"]);
});

test("one that has grown large begins anew and is still read", () => {
  const path = fresh();
  keep(path, { at: 1, kind: "delivered", id: "a", process: "7:1" });
  appendFileSync(path, `${" ".repeat(2 * 1024 * 1024)}\n`);
  keep(path, { at: 2, kind: "taken", id: "b", process: "7:1" });
  expect(existsSync(path)).toBe(false);
  keep(path, { at: 3, kind: "putting", id: "c", process: "7:1" });
  expect(["a", "b", "c"].map((id) => lastWord(path, id)?.kind)).toEqual(["delivered", "taken", "putting"]);
});
