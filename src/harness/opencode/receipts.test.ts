import { expect, test } from "vitest";

import { nextMessage } from "./receipts.ts";

test("an id comes after the newest one, also where the clock was set back", () => {
  const newest = nextMessage(undefined, 1_795_405_785_749);
  // The prefix that OpenCode itself made in that very millisecond.
  expect(newest).toMatch(/^msg_206862a95[0-9a-f]{17}$/);
  expect(nextMessage(newest, 1_795_405_785_750) > newest).toBe(true);
  expect(nextMessage(newest, 1_795_000_000_000).slice(0, 16) > newest.slice(0, 16)).toBe(true);
});
