import { readdirSync } from "node:fs";
import { join } from "node:path";

import { expect, test } from "vitest";

import { surviveKills } from "../kills.ts";
import { makeFleet, units } from "./rig.ts";

test("kill -9 of any mosaic process at any moment under systemd: never two of an agent, nothing lost, all adopted", async () => {
  const rig = makeFleet();
  await surviveKills(rig, 7);
  expect((await rig.fleet("status")).out).toContain("systemd (chosen");
  // What is stopped does not begin at boot.
  expect(readdirSync(join(units, "default.target.wants")).filter((file) => file.includes("@"))).toEqual([]);
}, 240_000);
