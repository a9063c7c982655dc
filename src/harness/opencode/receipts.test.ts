import { join } from "node:path";

import { expect, test } from "vitest";

import { scratchFolder } from "../../../test/scratch.ts";
import { isNoted, messageOf, nextMessage, noteMessage, noteTakenUp } from "./receipts.ts";

test("an id comes after the newest one, also where the clock was set back", () => {
  const newest = nextMessage(undefined, 1_795_405_785_749);
  // The prefix that OpenCode itself made in that very millisecond.
  expect(newest).toMatch(/^msg_206862a95[0-9a-f]{17}$/);
  expect(nextMessage(newest, 1_795_405_785_750) > newest).toBe(true);
  expect(nextMessage(newest, 1_795_000_000_000).slice(0, 16) > newest.slice(0, 16)).toBe(true);
});

test("a message is known as ours by what was noted, and taken up again once", () => {
  const journal = join(scratchFolder("opencode"), "journal");
  expect(isNoted(journal, "msg_1")).toBe(false);
  noteMessage(journal, "a", "msg_1");
  expect([noteTakenUp(journal, "msg_1"), noteTakenUp(journal, "msg_1"), noteTakenUp(journal, "msg_2")]).toEqual([
    true,
    false,
    true,
  ]);
  expect([isNoted(journal, "msg_1"), isNoted(journal, "msg_2"), messageOf(journal, "a")]).toEqual([
    true,
    false,
    "msg_1",
  ]);
});
