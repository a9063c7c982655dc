import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { expect, onTestFinished, test } from "vitest";

import { writePiHome } from "./pi-home.ts";

test.for([
  ["openai-completions", "http://127.0.0.1:1/v1"],
  ["openai-responses", "http://127.0.0.1:1/v1"],
  ["anthropic-messages", "http://127.0.0.1:1"],
] as const)("a Pi home for %s points at %s", ([wire, baseUrl]) => {
  const home = mkdtempSync(join(tmpdir(), "pi-home-"));
  onTestFinished(() => rmSync(home, { recursive: true, force: true }));
  writePiHome(home, "http://127.0.0.1:1", { wire });
  const read = (name: string): unknown => JSON.parse(readFileSync(join(home, ".pi", "agent", name), "utf8"));
  const models = [{ id: "scripted-large", contextWindow: 200_000 }];
  expect(read("models.json")).toMatchObject({
    providers: { scripted: { api: wire, baseUrl, apiKey: "none", models } },
  });
  expect(read("settings.json")).toMatchObject({ defaultProvider: "scripted", defaultModel: "scripted-large" });
});
