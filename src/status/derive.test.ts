import fc from "fast-check";
import { describe, expect, test } from "vitest";

import { agentStates } from "../contract/state-names.ts";
import { judgeBeat } from "./beat.ts";
import { derive, startGraceMs, type Facts } from "./derive.ts";

const now = 1_000_000_000;
const up: Facts["unit"] = {
  wanted: "up",
  process: "alive",
  pid: 42,
  since: now - 5 * startGraceMs,
  exit: undefined,
  nextAt: undefined,
  quarantined: undefined,
  readable: true,
};
const beatOf = (ageMs: number, state: string, pid = 42) =>
  judgeBeat({ ts: new Date(now - ageMs).toISOString(), pid, status: "ok", interval: 15, state }, now);
const noBeat = judgeBeat(undefined, now);
const says = (state: "idle" | "working", pid = 42): Facts["native"] => ({ kind: "state", state, at: now - 9_000, pid });

describe("the ladder", () => {
  test.for<[string, Facts, string]>([
    ["its own answer decides", { unit: up, beat: beatOf(1_000, "idle"), native: says("working") }, "working"],
    [
      "silence is unknown, whatever the beat still says",
      { unit: up, beat: beatOf(1_000, "idle"), native: { kind: "silent", waitedMs: 400 } },
      "unknown",
    ],
    [
      "a fresh beat speaks where nobody listens",
      { unit: up, beat: beatOf(40_000, "idle"), native: { kind: "absent" } },
      "idle",
    ],
    ["a stale beat says unknown", { unit: up, beat: beatOf(46_000, "idle"), native: { kind: "absent" } }, "unknown"],
    [
      "an answer of an older process is not this one's",
      { unit: up, beat: noBeat, native: says("idle", 41) },
      "unknown",
    ],
    [
      "a beat of an older process is not this one's",
      { unit: up, beat: beatOf(1, "idle", 41), native: { kind: "absent" } },
      "unknown",
    ],
    [
      "young and wordless is starting",
      { unit: { ...up, since: now - 900 }, beat: noBeat, native: { kind: "absent" } },
      "starting",
    ],
    ["old and wordless is unknown", { unit: up, beat: noBeat, native: { kind: "absent" } }, "unknown"],
    ["a program that cannot be asked runs", { unit: up, beat: beatOf(1, "idle"), native: undefined }, "running"],
    [
      "a dead process refutes every word",
      { unit: { ...up, process: "none" }, beat: beatOf(1, "idle"), native: says("idle") },
      "dead",
    ],
    [
      "frozen is unknown",
      { unit: { ...up, process: "frozen" }, beat: beatOf(1, "idle"), native: undefined },
      "unknown",
    ],
    ["stopping", { unit: { ...up, wanted: "down" }, beat: beatOf(1, "idle"), native: says("idle") }, "draining"],
    ["stopped", { unit: { ...up, wanted: "down", process: "none" }, beat: noBeat, native: undefined }, "stopped"],
    [
      "held after crashes",
      { unit: { ...up, process: "none", quarantined: { at: 1, why: "x" } }, beat: noBeat, native: undefined },
      "dead",
    ],
    [
      "never started",
      { unit: { ...up, wanted: "never", process: "none" }, beat: noBeat, native: undefined },
      "stopped",
    ],
    [
      "a state that is none of ours is not believed",
      { unit: up, beat: beatOf(1, "sleepy"), native: { kind: "absent" } },
      "unknown",
    ],
    [
      "a record that cannot be read",
      { unit: { ...up, readable: false }, beat: beatOf(1, "idle"), native: says("idle") },
      "unknown",
    ],
  ])("%s", ([, facts, state]) => {
    expect(derive(facts, now).state).toBe(state);
  });
});

test("whatever the facts: dead, frozen or silent is never idle, working or running", () => {
  const unit = fc.record({
    wanted: fc.constantFrom("up", "down", "never"),
    process: fc.constantFrom("alive", "frozen", "none"),
    pid: fc.constantFrom(42, undefined),
    since: fc.constantFrom(now, now - 10 * startGraceMs, undefined),
    exit: fc.constantFrom(undefined, { code: 0, at: 1 }),
    nextAt: fc.constantFrom(undefined, now + 10),
    quarantined: fc.constantFrom(undefined, { at: 1, why: "x" }),
    readable: fc.boolean(),
  }) as fc.Arbitrary<Facts["unit"]>;
  const beat = fc.constantFrom(
    noBeat,
    beatOf(1, "idle"),
    beatOf(100_000, "working"),
    beatOf(1, "working", 7),
    beatOf(1, "nonsense"),
  );
  const native = fc.constantFrom<Facts["native"]>(
    undefined,
    { kind: "absent" },
    { kind: "silent", waitedMs: 1 },
    says("idle"),
    says("working", 7),
  );
  fc.assert(
    fc.property(unit, beat, native, (u, b, n) => {
      const { state, decided } = derive({ unit: u, beat: b, native: n }, now);
      expect(agentStates).toContain(state);
      if (u.process !== "alive" || n?.kind === "silent" || !u.readable)
        expect(["idle", "working", "running", "starting"]).not.toContain(state);
      if (state === "idle" || state === "working") expect(now - (decided.at ?? 0)).toBeLessThanOrEqual(45_000);
    }),
  );
});

test("an answer is evidence of now, however long its state has lasted", () => {
  const { decided } = derive({ unit: up, beat: noBeat, native: { kind: "state", state: "idle", at: 5, pid: 42 } }, now);
  expect([decided.source, decided.at]).toEqual(["native", now]);
});
