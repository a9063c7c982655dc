import { closeSync, fstatSync, openSync, readSync } from "node:fs";

import type { Said } from "../harness.ts";

const most = 1024 * 1024;

/** Reads the newest lines of a Codex rollout (JSON lines); only its last megabyte, however long it has grown. */
export function readRollout(file: string, lines: number): Said[] {
  let handle: number;
  try {
    handle = openSync(file, "r");
  } catch {
    return []; // nothing was said yet
  }
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
  timestamp?: string;
  type?: string;
  payload?: {
    type?: string;
    role?: string;
    content?: { type: string; text?: string }[];
    name?: string;
    arguments?: string;
    output?: unknown;
  };
}

function parseRow(row: string): Said[] {
  let entry: Row;
  try {
    entry = JSON.parse(row) as Row;
  } catch {
    return [];
  }
  const { payload, timestamp: at } = entry;
  if (entry.type !== "response_item" || payload === undefined) return [];
  if (payload.type === "function_call")
    return [{ who: "tool", at, text: `${payload.name ?? "tool"} ${payload.arguments ?? ""}` }];
  if (payload.type === "function_call_output")
    return [
      { who: "tool", at, text: typeof payload.output === "string" ? payload.output : JSON.stringify(payload.output) },
    ];
  if (payload.type !== "message" || (payload.role !== "user" && payload.role !== "assistant")) return [];
  const text = (payload.content ?? []).map((part) => part.text ?? "").join("");
  // Codex tells its model of folder and shell in a user's name.
  if (payload.role === "user" && /^<environment_context>|^<user_instructions>/.test(text)) return [];
  return text === "" ? [] : [{ who: payload.role === "assistant" ? "agent" : "user", at, text }];
}
