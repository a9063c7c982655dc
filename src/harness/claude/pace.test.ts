import fc from "fast-check";
import { expect, test } from "vitest";

import { newPace } from "./pace.ts";

/** Claude Code's own rule, as measured: 30 at once, one more every two seconds, and not the text just before. */
function inbox() {
  let [tokens, refilled, last, lastAt] = [30, 0, "", Number.NEGATIVE_INFINITY];
  return (text: string, now: number): boolean => {
    if (text === last && now - lastAt < 30_000) return false;
    tokens = Math.min(30, tokens + (now - refilled) / 2_000);
    refilled = now;
    if (tokens < 1) return false;
    [tokens, last, lastAt] = [tokens - 1, text, now];
    return true;
  };
}

test("whatever is said in whatever rhythm, all of it is admitted", () =>
  fc.assert(
    fc.property(
      // A text, a pause before it, and how late Claude Code reads it.
      fc.array(fc.tuple(fc.constantFrom("a", "b", "c"), fc.nat(3_000), fc.nat(200)), { maxLength: 120 }),
      (sent) => {
        const [pace, admits] = [newPace(), inbox()];
        let now = 0;
        for (const [text, gap, late] of sent) {
          now += gap;
          now += pace.wait(text, now);
          pace.spend(text, now);
          now += late;
          expect(admits(text, now)).toBe(true);
        }
      },
    ),
  ));

test("thirty may go at once, and the same one again does after half a minute", () => {
  const pace = newPace();
  for (let at = 0; at < 30; at++) {
    expect(pace.wait(`${at}`, 0)).toBe(0);
    pace.spend(`${at}`, 0);
  }
  expect(pace.wait("next", 0)).toBe(2_250);
  expect(pace.wait("29", 20_000)).toBe(10_250);
});
