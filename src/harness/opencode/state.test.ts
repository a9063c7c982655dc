import { readFileSync } from "node:fs";
import { join } from "node:path";

import { expect, test } from "vitest";

import type { Moment } from "../../../test/harness/timeline.ts";
import type { Message } from "./session.ts";
import { contextOf, unreadIn, wordOf, type Seen } from "./state.ts";

const nothing: Seen = { statuses: [], permissions: [], questions: [], messages: [] };
const answer = (info: Partial<Message["info"]>): Message => ({
  info: { id: "msg_1", role: "assistant", time: { created: 1_000, completed: 2_000 }, ...info },
});

test("only a retry that OpenCode words as a limit is limited, until it tries again", () => {
  const retry = (message: string, reason?: string) =>
    wordOf({
      ...nothing,
      statuses: [{ type: "retry", attempt: 2, message, next: 5_000, ...(reason && { action: { reason } }) }],
    });
  for (const message of ["Too Many Requests", "Rate limit reached for this model", "Scripted error 429"])
    expect(retry(message)).toEqual({ state: "limited", why: message, until: 5_000 });
  expect(retry("Free usage exceeded", "free_tier_limit").state).toBe("limited");
  for (const message of ["Provider is overloaded", "Scripted error 529"])
    expect(retry(message)).toEqual({ state: "working", why: `trying again (2): ${message}` });
});

test("what a turn failed of outlives it; what a person ended did not fail", () => {
  const failed = (statusCode: number | undefined, message: string, headers: Record<string, string> = {}) =>
    wordOf({
      ...nothing,
      messages: [
        answer({
          error: {
            name: "APIError",
            data: { message, responseHeaders: headers, ...(statusCode !== undefined && { statusCode }) },
          },
        }),
      ],
    });
  expect(failed(401, "no")).toEqual({ state: "auth-failed", why: "no" });
  expect(failed(500, "broken")).toEqual({ state: "idle", why: "broken" });
  expect(failed(429, "slow")).toEqual({ state: "limited", why: "slow" });
  expect(failed(429, "slow", { "retry-after": "60" })).toEqual({ state: "limited", why: "slow", until: 62_000 });
  expect(wordOf({ ...nothing, messages: [answer({ error: { name: "MessageAbortedError" } })] })).toEqual({
    state: "idle",
  });
  expect(
    wordOf({ ...nothing, statuses: [{ type: "busy" }], messages: [answer({ error: { name: "APIError" } })] }),
  ).toEqual({ state: "working" });
});

test("a context is as full as its last answer says, of the model that answered", () => {
  const tokens = (input: number) => ({ input, output: 500, reasoning: 0, cache: { read: 500, write: 0 } });
  const of = (...messages: Message[]) => contextOf({ messages }, { "a/one": 10_000 });
  const one = { providerID: "a", modelID: "one" };
  expect(of(answer({ ...one, tokens: tokens(1_500) }))).toBe(25);
  // The turn that has just begun has used nothing yet.
  expect(of(answer({ ...one, tokens: tokens(1_500) }), answer({ ...one, tokens: { ...tokens(0), output: 0 } }))).toBe(
    25,
  );
  expect(of(answer({ ...one, tokens: tokens(1_500), summary: true }))).toBe(undefined);
  expect(of(answer({ ...one, modelID: "two", tokens: tokens(1_500) }))).toBe(undefined);
  expect(of()).toBe(undefined);
});

const file = join(import.meta.dirname, "..", "..", "..", "test", "timelines", "opencode.jsonl");
test("what the real OpenCode said at each step of its timeline means that state", () => {
  const steps = readFileSync(file, "utf8")
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line) as Moment)
    .filter(({ raw }) => raw !== undefined);
  expect(steps.length).toBeGreaterThanOrEqual(30);
  for (const { step, expect: wanted, raw } of steps) expect([step, wordOf(raw as Seen).state]).toEqual([step, wanted]);
});

test("unread is what the user said after the last message that has an answer, whatever became of that", () => {
  const said = (id: string): Message => ({ info: { id, role: "user", time: { created: 1_000 } } });
  const aborted = answer({ id: "msg_2", parentID: "msg_1", error: { name: "MessageAbortedError" } });
  const ids = (messages: Message[]) => unreadIn(messages).map(({ info }) => info.id);
  expect(ids([])).toEqual([]);
  expect(ids([said("msg_1"), aborted])).toEqual([]);
  expect(ids([said("msg_1"), said("msg_3"), aborted, said("msg_4")])).toEqual(["msg_3", "msg_4"]);
  expect(ids([said("msg_1"), said("msg_3"), answer({ id: "msg_5", parentID: "msg_3" })])).toEqual([]);
});
