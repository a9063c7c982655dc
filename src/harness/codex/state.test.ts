import { readFileSync } from "node:fs";
import { join } from "node:path";

import { describe, expect, test } from "vitest";

import type { Thread, Turn } from "./session.ts";
import { limitEnd, stateOf, whyOf } from "./state.ts";
import { parseUsage } from "./usage.ts";

const failedAt = new Date(2026, 10, 23, 22, 30, 20).getTime();
const failed = (message: string, codexErrorInfo: unknown): Turn => ({
  id: "t",
  status: "failed",
  error: { message, codexErrorInfo },
  startedAt: failedAt / 1_000 - 5,
  completedAt: failedAt / 1_000,
});
const idle = { status: { type: "idle" } } as const;
const limit = (when: string) => failed(`You’ve hit your usage limit. Please ${when}.`, "usageLimitExceeded");

describe("what Codex's status and its last turn mean", () => {
  test("it waits, and says for what", () => {
    const waiting = { status: { type: "active", activeFlags: ["waitingOnUserInput"] } } as const;
    const thread = { status: { ...waiting.status, activeFlags: [...waiting.status.activeFlags] } };
    expect([stateOf(thread, undefined), whyOf(thread, undefined)]).toEqual(["waiting-input", "waitingOnUserInput"]);
  });

  test("it failed, and says why; a turn that ended well says nothing", () => {
    const broken = failed("unexpected status 401", { httpConnectionFailed: { httpStatusCode: 401 } });
    expect([stateOf(idle, broken), whyOf(idle, broken)]).toEqual(["auth-failed", "unexpected status 401"]);
    expect(whyOf(idle, { ...broken, status: "completed" })).toBeUndefined();
  });

  test.for<[string, Date | undefined]>([
    ["try again at 11:05 PM", new Date(2026, 10, 23, 23, 5)],
    ["try again at 10:30 PM", new Date(2026, 10, 23, 22, 30)],
    ["try again at 4:59 AM", new Date(2026, 10, 24, 4, 59)],
    ["try again at Dec 1st, 2026 4:59 AM", new Date(2026, 11, 1, 4, 59)],
    ["try again later", undefined],
  ])("a limit that says %j", ([said, end]) => {
    expect(limitEnd(limit(said), undefined)).toBe(end?.getTime());
  });

  test("the account's own limit is exact, and counts where it is used up and not yet over", () => {
    const end = failedAt / 1_000 + 77;
    const usage = { limits: [{ usedPercent: 100, resetsAt: end }] };
    expect(limitEnd(limit("try again at 11:05 PM"), usage)).toBe(end * 1_000);
    expect(limitEnd(limit("try again later"), { limits: [{ usedPercent: 80, resetsAt: end }] })).toBeUndefined();
    expect(limitEnd(limit("try again later"), { limits: [{ usedPercent: 100, resetsAt: 5 }] })).toBeUndefined();
  });
});

test("the context is the newest request against the model's window", () => {
  const line = {
    payload: {
      type: "token_count",
      info: { last_token_usage: { total_tokens: 50_100 }, model_context_window: 200_000 },
      rate_limits: { primary: { used_percent: 12.5, resets_at: 9 }, secondary: null },
    },
  };
  expect(parseUsage(JSON.stringify(line))).toEqual({ context: 25, limits: [{ usedPercent: 12.5, resetsAt: 9 }] });
  expect(parseUsage('{"payload":{"info":null,"rate_limits":null}}')).toEqual({ limits: [] });
  expect(parseUsage('{"payload":{"in')).toBeUndefined();
});

test("what Codex itself said at each step of its recorded timeline means what was recorded", () => {
  const file = join(import.meta.dirname, "..", "..", "..", "test", "timelines", "codex.jsonl");
  const steps = readFileSync(file, "utf8")
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line) as { step: string; expect: string; raw?: { thread: Thread; turn?: Turn } })
    .flatMap(({ step, expect: wanted, raw }) => (raw === undefined ? [] : [{ step, wanted, raw }]));
  expect(steps.length).toBeGreaterThanOrEqual(40);
  for (const { step, wanted, raw } of steps) expect([step, stateOf(raw.thread, raw.turn)]).toEqual([step, wanted]);
});
