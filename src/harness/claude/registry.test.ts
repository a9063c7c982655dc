import { writeFileSync } from "node:fs";
import { join } from "node:path";

import { expect, test } from "vitest";

import { scratchFolder } from "../../../test/scratch.ts";
import { formatBeat } from "../../contract/beat.ts";
import { beats, hasInbox } from "./registry.ts";

test("the inbox came with 2.1.224; a version that nobody knows is taken for a newer one", () => {
  expect(["2.1.223", "2.0.999", "1.9.9", "2.1.30"].filter(hasInbox)).toEqual([]);
  expect(["2.1.224", "2.1.330", "2.2.0", "3.0.0", undefined].every(hasInbox)).toBe(true);
});

test("without a socket its beat is what shows that it works; a hung one is silent", () => {
  const path = join(scratchFolder("beat"), "mos.hb");
  const beat = (secondsAgo: number, pid = 7) => {
    const ts = new Date(Date.now() - secondsAgo * 1_000).toISOString();
    writeFileSync(path, formatBeat({ ts, pid, status: "ok", interval: 5 }));
  };
  const long = Date.now() - 3_600_000;
  const idle = { pid: 7, status: "idle", statusUpdatedAt: long };
  expect(beats(idle, path)).toBe("silent");
  beat(10);
  expect(beats(idle, path)).toBe("alive");
  beat(20);
  expect(beats(idle, path)).toBe("silent");
  // A change of state is a sign of life too; a dialog pauses the beat; another process's beat is none.
  expect(beats({ ...idle, statusUpdatedAt: Date.now() }, path)).toBe("alive");
  expect(beats({ ...idle, status: "waiting" }, path)).toBe("alive");
  beat(0, 8);
  expect(beats(idle, path)).toBe("silent");
});
