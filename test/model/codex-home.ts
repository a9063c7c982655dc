import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/** Makes `home` a home in which Codex knows one model, the scripted one at `url`, and asks nobody else. */
export function writeCodexHome(home: string, url: string): void {
  const folder = join(home, ".codex");
  mkdirSync(folder, { recursive: true });
  writeFileSync(
    join(folder, "config.toml"),
    `model = "scripted-large"
model_provider = "scripted"
model_context_window = 200000
# What a person may have set for themselves: an agent's floor must win over it.
approval_policy = "never"
sandbox_mode = "danger-full-access"

[analytics]
enabled = false

[feedback]
enabled = false

[model_providers.scripted]
name = "scripted"
base_url = "${url}/v1"
wire_api = "responses"
request_max_retries = 1
stream_max_retries = 1
`,
  );
}
