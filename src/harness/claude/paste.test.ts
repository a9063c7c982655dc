import { expect, test } from "vitest";

import { draftOn } from "./paste.ts";

const rule = "─".repeat(60);
const screen = (...editor: string[]) => ["● done", "", `${rule} mos ─`, ...editor, rule, "  acme: mos", ""].join("\n");

test("a draft is what stands between the two rules, however many lines it has", () => {
  expect(draftOn(screen("❯ "))).toBe("");
  expect(draftOn(screen("❯"))).toBe("");
  expect(draftOn(screen("❯ half a sen"))).toBe("half a sen");
  expect(draftOn(screen("❯ ", "  second line"))).toBe("second line");
  expect(draftOn(screen('❯ Try "fix lint errors"'))).toBe("");
  expect(draftOn(screen("❯ Press up to edit queued messages"))).toBe("");
});

test("where there is no editor (a dialog, a menu, nothing yet) nobody knows", () => {
  expect(draftOn("")).toBe(undefined);
  expect(draftOn(`${rule}\n Do you want to proceed?\n ❯ 1. Yes\n`)).toBe(undefined);
  expect(draftOn(screen(" ☐ Colour", "❯ 1. Red"))).toBe(undefined);
});
