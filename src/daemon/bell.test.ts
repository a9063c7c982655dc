import { expect, test } from "vitest";

import { Bell } from "./bell.ts";

test("a ring while nobody waits is kept; an end that came before the waiting began is one", async () => {
  const never = new AbortController().signal;
  const bell = new Bell();
  const waits = async (signal: AbortSignal) => {
    const began = performance.now();
    await bell.wait(2_000, signal);
    return performance.now() - began;
  };
  bell.ring();
  expect(await waits(never)).toBeLessThan(1_000);
  expect(await waits(AbortSignal.abort())).toBeLessThan(1_000);
  expect(await waits(AbortSignal.timeout(10))).toBeLessThan(1_000);
  expect(await waits(never)).toBeGreaterThan(1_900);
});
