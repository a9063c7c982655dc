import { closeSync, fstatSync, openSync, readSync } from "node:fs";

import type { Said } from "../harness.ts";

const most = 1024 * 1024;

/** Reads the newest lines of a Pi session file (JSON lines); only its last megabyte, however long it has grown. */
export function readTranscript(file: string, lines: number): Said[] {
  const handle = openSync(file, "r");
  try {
    const { size } = fstatSync(handle);
    const start = Math.max(0, size - most);
    const bytes = Buffer.alloc(size - start);
    readSync(handle, bytes, 0, bytes.length, start);
    const rows = bytes.toString("utf8").split("\n");
    if (start > 0) rows.shift(); // cut in the middle
    return rows.flatMap(parseRow).slice(-lines);
  } finally {
    closeSync(handle);
  }
}

interface Row {
  type?: string;
  timestamp?: string;
  message?: { role?: string; content?: string | { type: string; text?: string; name?: string; arguments?: unknown }[] };
}

function parseRow(row: string): Said[] {
  let entry: Row;
  try {
    entry = JSON.parse(row) as Row;
  } catch {
    return [];
  }
  const { message } = entry;
  if (entry.type !== "message" || message === undefined) return [];
  const parts =
    typeof message.content === "string" ? [{ type: "text", text: message.content }] : (message.content ?? []);
  const who = message.role === "assistant" ? "agent" : message.role === "user" ? "user" : "tool";
  return parts.flatMap((part): Said[] => {
    if (part.type === "text" && part.text) return [{ who, at: entry.timestamp, text: part.text }];
    if (part.type !== "toolCall") return [];
    return [
      { who: "tool", at: entry.timestamp, text: `${part.name ?? "tool"} ${JSON.stringify(part.arguments ?? {})}` },
    ];
  });
}
