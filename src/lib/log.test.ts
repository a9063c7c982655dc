import { readFileSync } from "node:fs";
import { join } from "node:path";

import { expect, test } from "vitest";

import { scratchFolder } from "../../test/scratch.ts";
import { appendLog, readLog, redact } from "./log.ts";

test("tokens never reach a log, ordinary words do", () => {
  const canaries = [
    "xoxb-123456-abcdef",
    "sk-abcdefghijkl",
    "mft_abcdefghijkl",
    "12345678:AAabcdefghijklmnopqrstuvwxyz0123456789",
    `abcdefABCDEF0123456789abcd.abcdef.${"abcdef-_012345".repeat(2)}`,
    "Authorization: Bearer abcdefghijkl",
    '"token":"abcdefghijkl"',
  ];
  for (const canary of canaries) expect(redact(`before ${canary} after`), canary).not.toMatch(/abcdef/i);
  expect(redact("coder restarted at 12:30:00 with exit code 7")).toBe("coder restarted at 12:30:00 with exit code 7");
});

test("a secret that stands in quotes is none in a log either, and takes no line with it", () => {
  const file = join(scratchFolder("log"), "log", "fleet.jsonl");
  const notes = ['{"token":"abcdefghijkl"}', 'it says token=abcdefghijkl"', "Authorization: Bot abcdefghijkl"];
  for (const note of notes) appendLog(file, { at: "2026-01-01T00:00:00Z", event: "fault", note });
  expect(readFileSync(file, "utf8")).not.toContain("abcdef");
  expect(readLog(file).map((line) => line.note)).toEqual(['{"[redacted]"}', 'it says [redacted]"', "[redacted]"]);
});

test("a torn last line costs that line only", () => {
  const file = join(scratchFolder("log"), "log", "fleet.jsonl");
  appendLog(file, { at: "2026-01-01T00:00:00Z", agent: "co", event: "started" });
  appendLog(file, { at: "2026-01-01T00:00:01Z", event: "daemon-started", note: "token=abcdefghijkl" });
  expect(readLog(file).map((line) => line.event)).toEqual(["started", "daemon-started"]);
  expect(readFileSync(file, "utf8")).not.toContain("abcdef");
});
