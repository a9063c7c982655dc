import { execFileSync } from "node:child_process";
import { readFileSync, statSync } from "node:fs";
import { join } from "node:path";

import { expect, test } from "vitest";

import { scratchFolder } from "../../../test/scratch.ts";
import { quote } from "../../lib/quote.ts";
import type { Desk } from "../harness.ts";
import { statusLineOf } from "./files.ts";

test("its beat is its owner's alone, whatever its shell makes of new files", () => {
  const path = join(scratchFolder("beat"), "it's co.hb");
  const desk = { agent: { name: "co" }, fleet: "acme", beat: { path, intervalS: 15 } } as Desk;
  const script = `umask 000\nsh -c ${quote(statusLineOf(desk))}`;
  const said = execFileSync("sh", ["-c", script], { input: '{"session_id":"s1"}', encoding: "utf8" });
  expect([said, statSync(path).mode & 0o777]).toEqual(["acme: co", 0o600]);
  expect(readFileSync(path, "utf8")).toContain("session=s1\n");
});
