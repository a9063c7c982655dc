import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import { expect, test } from "vitest";

import { scratchFolder } from "../../test/scratch.ts";
import type { Home } from "../contract/home.ts";
import { agentSecrets } from "./credentials.ts";

test("a file of secrets may have been written on Windows", () => {
  const secrets = join(scratchFolder("secrets"), "secrets");
  mkdirSync(secrets);
  writeFileSync(join(secrets, "env"), 'ONE=first\r\nexport TWO="second one"\r\nTHREE=\r\n');
  expect(agentSecrets({ secrets } as Home, ["ONE", "TWO", "THREE"])).toEqual({
    ONE: "first",
    TWO: "second one",
    THREE: "",
  });
});
