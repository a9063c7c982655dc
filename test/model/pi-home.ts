import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import type { Wire } from "./ask.ts";

/** Makes `home` a home in which Pi knows one model, the scripted one at `url`, and asks nothing at its start. */
export function writePiHome(
  home: string,
  url: string,
  {
    wire = "openai-completions",
    key = "none",
    more = {},
  }: { wire?: Wire | undefined; key?: string | undefined; more?: object } = {},
): void {
  const folder = join(home, ".pi", "agent");
  const scripted = {
    // Anthropic's client adds /v1 itself.
    baseUrl: wire === "anthropic-messages" ? url : `${url}/v1`,
    api: wire,
    apiKey: key,
    models: [
      {
        id: "scripted-large",
        contextWindow: 200_000,
        maxTokens: 8192,
        input: ["text"],
        cost: { input: 0, output: 0, cacheRead: 0, cacheWrite: 0 },
      },
    ],
  };
  const settings = {
    defaultProvider: "scripted",
    defaultModel: "scripted-large",
    defaultProjectTrust: "always",
    enableInstallTelemetry: false,
    quietStartup: true,
    ...more,
  };
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, "models.json"), `${JSON.stringify({ providers: { scripted } }, null, 2)}\n`);
  writeFileSync(join(folder, "settings.json"), `${JSON.stringify(settings, null, 2)}\n`);
}
