import { readFileSync } from "node:fs";
import { join } from "node:path";

import { describe, expect, test } from "vitest";

import type { Moment } from "../../../test/harness/timeline.ts";
import type { Spooled } from "./spool.ts";
import { wordOf, type Evidence } from "./word.ts";

const timeline = join(import.meta.dirname, "..", "..", "..", "test", "timelines", "claude.jsonl");

const evidence = (parts: {
  session?: Partial<Evidence["session"]>;
  ending?: Evidence["ending"];
  event?: Spooled["event"];
  behind?: string;
}): Evidence => ({
  behind: parts.behind,
  session: {
    pid: 7,
    startedAt: 1_000,
    status: "idle",
    waitingFor: undefined,
    statusUpdatedAt: 2_000,
    ...parts.session,
  },
  ending: parts.ending ?? { requests: 0 },
  event: parts.event && { at: 2, pid: 7, event: parts.event },
});
const fault = (more: object) => ({
  requests: 1,
  fault: { kind: "server_error", status: 500, text: "API Error: 500", at: 1_500, ...more },
});

test("what the real Claude Code wrote at each step of its timeline says the step's state", () => {
  const moments = readFileSync(timeline, "utf8")
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line) as Moment)
    .filter((moment) => moment.raw !== undefined);
  expect(moments.length).toBeGreaterThanOrEqual(40);
  for (const { step, at, expect: wanted, raw } of moments)
    expect([step, wordOf(raw as Evidence, at).state]).toEqual([step, wanted]);
});

describe("the registry decides", () => {
  test("a word that we do not know is unknown, not idle", () => {
    expect(wordOf(evidence({ session: { status: "dreaming" } }), 3_000)).toEqual({ state: "unknown" });
    expect(wordOf(evidence({ session: { status: undefined } }), 3_000)).toEqual({ state: "unknown" });
  });

  test("busy is working, whatever failed before; what it does beside shows", () => {
    const busy = { status: "busy" };
    expect(wordOf(evidence({ session: busy, ending: fault({}) }), 3_000)).toEqual({ state: "working" });
    expect(wordOf(evidence({ session: busy, ending: { requests: 3 } }), 3_000).why).toBe("trying again: request 3");
    expect(wordOf(evidence({ session: busy, event: { hook_event_name: "PreCompact" } }), 3_000).why).toContain(
      "compacting",
    );
  });

  test("what it waits for is in its own words, in one line", () => {
    const asks = {
      hook_event_name: "PermissionRequest",
      tool_name: "Bash",
      tool_input: { command: `one\ntwo ${"x".repeat(300)}` },
    };
    const waiting = { status: "waiting", waitingFor: "permission prompt" };
    const { state, why } = wordOf(evidence({ session: waiting, event: asks }), 3_000);
    expect(state).toBe("waiting-permission");
    expect(why).toMatch(/^permission prompt: Bash one two x+…$/);
    expect(wordOf(evidence({ session: { status: "waiting", waitingFor: "dialog open" } }), 3_000)).toEqual({
      state: "waiting-input",
      why: "dialog open",
    });
    // A subagent in the background asks: Claude Code is busy for all that it says, and may have a dialog of its own.
    for (const status of ["busy", "idle"])
      expect(wordOf(evidence({ session: { status }, behind: "Bash one\ntwo" }), 3_000)).toEqual({
        state: "waiting-permission",
        why: "a subagent asks: Bash one two",
        takes: true,
      });
    expect(wordOf(evidence({ session: waiting, event: asks, behind: "Bash two" }), 3_000).why).toBe(
      "permission prompt",
    );
  });
});

describe("how the last turn went", () => {
  test("a fault is said, and only a refusal or a limit is a state", () => {
    const word = (more: object) => wordOf(evidence({ ending: fault(more) }), 3_000);
    expect(word({})).toEqual({ state: "idle", why: "API Error: 500" });
    expect(word({ kind: "authentication_failed", status: undefined }).state).toBe("auth-failed");
    expect(word({ status: 403 }).state).toBe("auth-failed");
    expect(word({ kind: "rate_limit", status: undefined })).toEqual({ state: "limited", why: "API Error: 500" });
  });

  test("a limit with its end outlives the process and ends by itself; any other fault goes with its process", () => {
    const old = { at: 500 };
    expect(wordOf(evidence({ ending: fault({ ...old, status: 401 }) }), 3_000)).toEqual({ state: "idle" });
    expect(wordOf(evidence({ ending: fault({ ...old, status: 429 }) }), 3_000)).toEqual({ state: "idle" });
    const limit = evidence({ ending: fault({ ...old, status: 429, resetsAt: 9_000 }) });
    expect(wordOf(limit, 8_999)).toMatchObject({ state: "limited", until: 9_000 });
    expect(wordOf(limit, 9_000)).toEqual({ state: "idle" });
  });

  test("where the transcript says nothing of it, the spool does", () => {
    const event = { hook_event_name: "StopFailure", error: "authentication_failed", last_assistant_message: "no" };
    expect(wordOf(evidence({ event }), 3_000)).toEqual({ state: "auth-failed", why: "no" });
    expect(wordOf(evidence({ event: { hook_event_name: "Stop" } }), 3_000)).toEqual({ state: "idle" });
  });
});
