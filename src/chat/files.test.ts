import { existsSync, mkdirSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import { expect, test } from "vitest";

import { scratchFolder } from "../../test/scratch.ts";
import { pruneFiles } from "./files.ts";

test("files are forgotten with what was said of them, in both directions, and no sooner", () => {
  const folder = scratchFolder("files");
  pruneFiles(join(folder, "none"), 1);
  const old = new Date(1_000_000);
  const paths = ["discord-1", "out/a", "discord-2", "out/b"].map((name) => join(folder, name));
  for (const [at, path] of paths.entries()) {
    mkdirSync(path, { recursive: true });
    writeFileSync(join(path, "file"), "x");
    if (at < 2) utimesSync(path, old, old);
  }
  utimesSync(join(folder, "out"), old, old);
  pruneFiles(folder, 2_000_000);
  expect(paths.map((path) => existsSync(path))).toEqual([false, false, true, true]);
});
