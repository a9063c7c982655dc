import { expect, test } from "vitest";

import { nextMessage } from "./receipts.ts";
import { stateOf } from "./state.ts";

test("an id comes after the newest one, also where the clock was set back", () => {
  const newest = nextMessage(undefined, 1_795_405_785_749);
  // The prefix that OpenCode itself made in that very millisecond.
  expect(newest).toMatch(/^msg_206862a95[0-9a-f]{17}$/);
  expect(nextMessage(newest, 1_795_405_785_750) > newest).toBe(true);
  expect(nextMessage(newest, 1_795_000_000_000).slice(0, 16) > newest.slice(0, 16)).toBe(true);
});

test("only a retry that OpenCode words as a limit is limited", () => {
  const retry = (message: string) =>
    stateOf({
      statuses: [{ type: "retry", attempt: 1, message, next: 0 }],
      permissions: 0,
      questions: 0,
      newest: undefined,
    });
  expect(["Too Many Requests", "Rate limit reached for this model", "Scripted error 429"].map(retry)).toEqual(
    Array(3).fill("limited"),
  );
  expect(["Provider is overloaded", "Scripted error 529"].map(retry)).toEqual(Array(2).fill("working"));
});
