import { writeFileSync } from "node:fs";
import { join } from "node:path";

import { expect, test } from "vitest";

import { scratchFolder } from "../../../test/scratch.ts";
import { readEnding } from "./ending.ts";

const user = (text: string, more: object = {}) => ({ type: "user", message: { role: "user", content: text }, ...more });
const request = (querySource = "repl_main_thread") => ({ type: "api-request", querySource });
const said = { type: "assistant", message: { content: [{ type: "text", text: "fine" }] } };
const limit = {
  type: "assistant",
  timestamp: "2026-11-23T03:57:14.203Z",
  message: { content: [{ type: "text", text: "You've hit your 5-hour limit" }] },
  error: "rate_limit",
  isApiErrorMessage: true,
  apiErrorStatus: 429,
  quotaLimits: { status: "rejected", resetsAt: 1_795_413_434 },
};

function ending(...rows: object[]) {
  const file = join(scratchFolder("ending"), "talk.jsonl");
  writeFileSync(file, rows.map((row) => `${JSON.stringify(row)}\n`).join(""));
  return readEnding(file);
}

test("no file, an empty one, and a turn that went well: nothing failed", () => {
  expect(readEnding(undefined)).toEqual({ requests: 0 });
  expect(readEnding("/nonexistent/file")).toEqual({ requests: 0 });
  expect(ending()).toEqual({ requests: 0 });
  expect(ending(limit, user("go"), request(), said)).toEqual({ requests: 0 });
});

test("a limit is read with its end", () => {
  expect(ending(user("go"), request(), limit, { type: "system" })).toEqual({
    requests: 0,
    fault: {
      kind: "rate_limit",
      status: 429,
      text: "You've hit your 5-hour limit",
      at: Date.parse("2026-11-23T03:57:14.203Z"),
      resetsAt: 1_795_413_434_000,
    },
  });
});

test("requests are counted since the newest word, and only the conversation's own", () => {
  expect(ending(said, user("go"), request(), request("compact"), request()).requests).toBe(2);
  expect(ending(user("go"), request(), said, user("result"), request()).requests).toBe(1);
});

test("what a person broke off is no fault; a typed command changes nothing; a subagent's fault is its own", () => {
  expect(ending(limit, user("on"), user("[Request interrupted by user]")).fault).toBe(undefined);
  expect(ending(limit, user("…", { interruptedMessageId: "m" })).fault).toBe(undefined);
  expect(ending(limit, user("<command-name>/compact</command-name>")).fault?.status).toBe(429);
  expect(ending(said, { ...limit, isSidechain: true }).fault).toBe(undefined);
});

test("long lines, cut characters and a line that is being written hide nothing", () => {
  for (const length of [10, 65_400, 65_536, 70_000, 300_000]) {
    const noise = Array.from({ length: 5 }, () => ({ type: "attachment", text: "ü".repeat(length / 2) }));
    expect(ending(said, limit, ...noise).fault?.status).toBe(429);
  }
  // Wherever the border of a piece cuts the line that counts.
  for (let length = 65_000; length < 65_600; length += 50)
    expect([length, ending(said, limit, { text: "x".repeat(length) }).fault?.status]).toEqual([length, 429]);
  const file = join(scratchFolder("ending"), "talk.jsonl");
  writeFileSync(file, `${JSON.stringify(limit)}\n{"type":"assistant","mess`);
  expect(readEnding(file).fault?.status).toBe(429);
});
