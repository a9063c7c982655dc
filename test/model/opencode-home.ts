import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/** Makes `home` a home in which OpenCode knows one model, the scripted one at `url`. Its driver for that is inside the CLI. */
export function writeOpencodeHome(home: string, url: string, more: Readonly<Record<string, unknown>> = {}): void {
  const folder = join(home, ".config", "opencode");
  const model = { name: "scripted-large", limit: { context: 200_000, output: 8192 } };
  const settings = {
    model: "scripted/scripted-large",
    small_model: "scripted/scripted-large",
    enabled_providers: ["scripted"],
    provider: {
      scripted: {
        npm: "@ai-sdk/openai-compatible",
        name: "scripted",
        options: { baseURL: `${url}/v1`, apiKey: "none" },
        models: { "scripted-large": model },
      },
    },
    ...more,
  };
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, "opencode.json"), `${JSON.stringify(settings, null, 2)}\n`);
}
