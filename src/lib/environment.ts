import { readFileSync } from "node:fs";

/**
 * An environment as text that systemd's `EnvironmentFile=` and we read: `KEY="value"` lines. What a line cannot hold is
 * left out.
 */
export function formatEnvironment(env: Readonly<Record<string, string>>): string {
  return Object.entries(env)
    .filter(([, value]) => !/[\n\r\0]/.test(value))
    .map(([key, value]) => `${key}="${value.replaceAll(/[\\"$`]/g, String.raw`\$&`)}"\n`)
    .join("");
}

/** Reads it back; undefined where there is none. */
export function readEnvironment(path: string): Record<string, string> | undefined {
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch {
    return undefined;
  }
  const pairs = text.matchAll(/^([A-Za-z_]\w*)="((?:[^"\\]|\\.)*)"$/gm);
  return Object.fromEntries([...pairs].map(([, key = "", value = ""]) => [key, value.replaceAll(/\\(.)/g, "$1")]));
}
