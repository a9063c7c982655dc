import { mkdirSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import type { Connector } from "../connector/connector.ts";
import type { Heard } from "./ledger.ts";
import type { Parts } from "./parts.ts";

/** What is fetched of one file, and of one message. */
const mostBytes = 25 * 1024 * 1024;
const mostFiles = 10;
const patienceMs = 60_000;

/**
 * Fetches what came with a message, and answers what the agent is told of it: where each file lies, or why it does not.
 * Done again after a crash, it writes the same files.
 */
export async function keepFiles(parts: Parts, connector: Connector, row: Heard): Promise<string> {
  if (row.files.length === 0) return "";
  const folder = join(parts.files, `${row.account}-${row.seq}`);
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const lines: string[] = [];
  const patience = AbortSignal.timeout(patienceMs);
  // One after another: ten of them at once would be in memory at once.
  for (const [at, file] of row.files.entries()) {
    const name = safeName(file.name, at);
    const about = `${name} (${file.mime.replaceAll(/[^\w/.+-]/g, "")}, ${file.bytes} bytes)`;
    if (at >= mostFiles) lines.push(`${about}: not fetched, more than ${mostFiles} files`);
    else if (file.bytes > mostBytes) lines.push(`${about}: not fetched, it is too large`);
    else lines.push(`${about}: ${await keep(join(folder, name), () => connector.fetch(file, mostBytes, patience))}`);
  }
  return `\n\nFiles that came with it:\n${lines.map((line) => `- ${line}`).join("\n")}`;
}

async function keep(path: string, fetched: () => Promise<Uint8Array>): Promise<string> {
  try {
    writeFileSync(path, await fetched(), { mode: 0o600 });
    return path;
  } catch (error) {
    return `not fetched, ${error instanceof Error ? error.message : String(error)}`;
  }
}

/** The sender's name for it decides nothing: no folder, no dot in front, no name twice. */
function safeName(name: string, at: number): string {
  const plain = name
    .replaceAll(/[^\w.-]+/g, "_")
    .replace(/^[._]+/, "")
    .slice(-80);
  return `${at + 1}-${plain || "file"}`;
}

/** Forgets files that came or went before then; what was said of them is forgotten as early. */
export function pruneFiles(folder: string, before: number): void {
  for (const part of [join(folder, "out"), folder]) {
    for (const name of namesIn(part)) {
      const path = join(part, name);
      if (path === join(folder, "out") || statSync(path).mtimeMs >= before) continue;
      rmSync(path, { recursive: true, force: true });
    }
  }
}

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return []; // nothing has come yet
  }
}
