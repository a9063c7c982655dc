import { execFileSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";

import fc from "fast-check";
import { expect, test } from "vitest";

import { scratchFolder } from "../../test/scratch.ts";
import { formatEnvironment, readEnvironment } from "./environment.ts";

test("what is written is read back, by us and by a shell alike", () => {
  const path = join(scratchFolder("env"), "environment");
  const value = fc.string({ unit: "binary" }).filter((text) => !/[\n\r\0\ud800-\udfff]/.test(text));
  fc.assert(
    fc.property(fc.dictionary(fc.stringMatching(/^[A-Z_][A-Z0-9_]{0,8}$/), value), (env) => {
      writeFileSync(path, formatEnvironment(env));
      expect(readEnvironment(path)).toEqual({ ...env });
    }),
  );
  const odd = `a "b" $HOME \`id\` \\ % ü`;
  writeFileSync(path, formatEnvironment({ ODD: odd, LINES: "a\nb" }));
  expect(execFileSync("sh", ["-c", '. "$1"; printf %s "$ODD"', "sh", path], { encoding: "utf8" })).toBe(odd);
  expect(readEnvironment(path)).toEqual({ ODD: odd });
  expect(readEnvironment(`${path}.none`)).toBeUndefined();
});
