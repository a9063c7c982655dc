import { appendFileSync, readFileSync } from "node:fs";
import { join } from "node:path";

import { expect, test } from "vitest";

import { scratchFolder } from "../../../../test/scratch.ts";
import { openJournal } from "./journal.ts";

const fresh = () => join(scratchFolder("journal"), "journal.jsonl");
const accepted = (id: string) => ({ at: 1, kind: "accepted", id, text: `text of ${id}`, mode: "next" }) as const;

test("what was accepted is open until it is saved, also for the next process", () => {
  const path = fresh();
  const journal = openJournal(path);
  for (const id of ["a", "b", "c"]) journal.keep(accepted(id));
  journal.keep({ at: 2, kind: "delivered", id: "a" });
  journal.keep({ at: 3, kind: "delivered", id: "b" });
  journal.keep({ at: 4, kind: "saved", id: "a" });
  for (const one of [journal, openJournal(path)]) {
    expect(one.open().map((line) => line.id)).toEqual(["b", "c"]);
    expect(["a", "b", "c", "d"].map((id) => one.seen(id))).toEqual(["delivered", "delivered", "accepted", undefined]);
  }
});

test("a line that a kill cut off spoils neither the lines before nor the next one", () => {
  const path = fresh();
  openJournal(path).keep(accepted("a"));
  appendFileSync(path, '{"at":1,"kind":"accep');
  openJournal(path).keep(accepted("b"));
  expect(
    openJournal(path)
      .open()
      .map((line) => line.id),
  ).toEqual(["a", "b"]);
});

test("a line that is no record of ours is passed over", () => {
  const path = fresh();
  appendFileSync(path, 'null\n5\n"x"\n[]\n{}\n{"kind":"accepted"}\n{"kind":"accepted","id":"p","text":null}\n');
  openJournal(path).keep(accepted("a"));
  expect(
    openJournal(path)
      .open()
      .map((line) => line.id),
  ).toEqual(["a"]);
});

test("a journal that has grown large begins anew and still knows what it accepted", () => {
  const path = fresh();
  const journal = openJournal(path);
  journal.keep(accepted("a"));
  appendFileSync(path, `${" ".repeat(5 * 1024 * 1024)}\n`);
  openJournal(path).keep(accepted("b"));
  expect(readFileSync(path, "utf8").length).toBeLessThan(1_000);
  expect(
    openJournal(path)
      .open()
      .map((line) => line.id),
  ).toEqual(["a", "b"]);
});
