import fc from "fast-check";
import { expect, test } from "vitest";

import { afterCrash, breaker } from "./crashes.ts";

const times = fc
  .array(fc.integer({ min: 0, max: 10_000_000 }), { minLength: 1, maxLength: 20 })
  .map((all) => all.toSorted((a, b) => a - b));

test("a first crash restarts at once, a later one waits longer, and never beyond a minute", () => {
  expect(afterCrash([0], { code: 1, rule: "always" })).toEqual({ do: "restart", afterMs: 0 });
  expect(afterCrash([0, 10], { code: 1, rule: "always" })).toEqual({ do: "restart", afterMs: 1_000 });
  expect(afterCrash([0, 10, 20], { code: 1, rule: "always" })).toEqual({ do: "restart", afterMs: 2_000 });
  fc.assert(
    fc.property(times, (crashes) => {
      const verdict = afterCrash(crashes, { code: 1, rule: "always" });
      if (verdict.do === "restart") expect(verdict.afterMs).toBeLessThanOrEqual(60_000);
    }),
  );
});

test("it is held exactly when a burst falls within the window", () => {
  fc.assert(
    fc.property(times, (crashes) => {
      const newest = crashes.at(-1) ?? 0;
      const burst = crashes.filter((at) => newest - at < breaker.windowMs).length >= breaker.burst;
      expect(afterCrash(crashes, { code: 1, rule: "always" }).do).toBe(burst ? "quarantine" : "restart");
    }),
  );
});

test("rules: never leaves all, on-failure leaves what ended well", () => {
  expect(afterCrash([0], { code: 1, rule: "never" }).do).toBe("leave");
  expect(afterCrash([0], { code: 0, rule: "on-failure" }).do).toBe("leave");
  expect(afterCrash([0], { code: undefined, rule: "on-failure" }).do).toBe("restart");
});

test("a crash exactly one window ago does not count", () => {
  expect(afterCrash([0, 1, 2, 3, breaker.windowMs], { code: 1, rule: "always" }).do).toBe("restart");
  expect(afterCrash([1, 2, 3, 4, breaker.windowMs], { code: 1, rule: "always" }).do).toBe("quarantine");
});
