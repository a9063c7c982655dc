import { writeFileSync } from "node:fs";

import fc from "fast-check";
import { expect, test } from "vitest";

import { scratchFolder } from "../../test/scratch.ts";
import { formatBeat, parseBeat } from "../contract/beat.ts";
import { beatInterval, beatPath, judgeBeat, readBeat, writeBeat } from "./beat.ts";

const beat = { ts: "2026-11-22T20:00:00.000+01:00", pid: 42, status: "ok", interval: 2 };
const at = Date.parse(beat.ts);

test("the recorded interval decides, three of them, and not the reader's", () => {
  expect(judgeBeat(beat, at + 6_000).health).toBe("healthy");
  expect(judgeBeat(beat, at + 6_001).health).toBe("stale");
  const bare = parseBeat(`ts=${beat.ts}\n`);
  expect([judgeBeat(bare, at + 45_000).health, judgeBeat(bare, at + 45_001).health]).toEqual(["healthy", "stale"]);
});

test("none, empty, torn and foreign files are unknown, never healthy", () => {
  const dir = scratchFolder("beat");
  for (const [name, text] of Object.entries({
    empty: "",
    torn: "ts=2026-1",
    foreign: "hello\n",
    dateless: "pid=1\nstatus=ok\n",
  })) {
    writeFileSync(beatPath(dir, name), text);
    expect(readBeat(beatPath(dir, name), at, 15).health, name).toBe("unknown");
  }
  expect(readBeat(beatPath(dir, "none"), at, 15).health).toBe("unknown");
});

test("what is written is read, and no value can forge a key", () => {
  const dir = scratchFolder("beat");
  writeBeat(beatPath(dir, "co"), { ...beat, model: "evil\nstatus=dead\npid=1", state: "idle" });
  expect(readBeat(beatPath(dir, "co"), at, 15).beat).toMatchObject({ pid: 42, status: "ok", state: "idle" });
  fc.assert(
    fc.property(fc.string(), (model) => {
      expect(parseBeat(formatBeat({ ...beat, model }))).toMatchObject(beat);
    }),
  );
});

test("the environment's interval must be a positive number", () => {
  expect(["5", "0.5", "", "0", "-1", "x", undefined].map(beatInterval)).toEqual([5, 0.5, 15, 15, 15, 15, 15]);
});

test("a beat a little ahead is young, not of a negative age; one far ahead is a clock's fault, and stale", () => {
  expect(judgeBeat(beat, at - 6_000)).toMatchObject({ health: "healthy", ageMs: 0 });
  expect(judgeBeat(beat, at - 6_001)).toMatchObject({ health: "stale", ageMs: 0 });
});
