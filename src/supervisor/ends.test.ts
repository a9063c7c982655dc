import { expect, test } from "vitest";

import { scratchFolder } from "../../test/scratch.ts";
import { agentPlace, layHome } from "../contract/home.ts";
import { countEnd } from "./ends.ts";
import { newRecord, type UnitRecord } from "./records.ts";

test("where the whole machine went down, no agent ended by itself", async () => {
  const root = scratchFolder("ends");
  const home = layHome({ mosaicHome: root, userHome: root, runDir: undefined, uid: 0 });
  const launched: UnitRecord = { ...newRecord("never"), want: "up", launchedAt: 1, boot: "an earlier run" };
  const place = agentPlace(home, "co");
  const after = await countEnd({ name: "co", place, record: launched, now: 2, tell: () => {} });
  expect(after).toMatchObject({ crashes: [], finished: false, nextAt: undefined, counted: 1 });
  // And so of one that nobody knows the run of: it is counted.
  const { boot: _, ...unknown } = launched;
  const counted = await countEnd({ name: "co", place, record: unknown, now: 2, tell: () => {} });
  expect(counted).toMatchObject({ crashes: [2], finished: true });
});
