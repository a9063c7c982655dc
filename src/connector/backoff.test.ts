import { expect, test } from "vitest";

import { fullJitter } from "./backoff.ts";

test("waits are spread over a span that doubles up to its cap, and begin anew when told", () => {
  const longest = fullJitter(1_000, 60_000, () => 1);
  expect(Array.from({ length: 8 }, () => longest.next())).toEqual([1, 2, 4, 8, 16, 32, 60, 60].map((s) => s * 1_000));
  for (let tries = 0; tries < 2_000; tries++) longest.next();
  expect(longest.next()).toBe(60_000);
  longest.reset();
  expect(longest.next()).toBe(1_000);
  const spread = fullJitter(1_000, 60_000);
  const firsts = Array.from({ length: 500 }, () => {
    spread.reset();
    return spread.next();
  });
  expect(Math.min(...firsts)).toBeLessThan(100);
  expect(Math.max(...firsts)).toBeGreaterThan(900);
});
