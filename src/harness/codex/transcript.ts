import { newestIn } from "../../lib/last-lines.ts";
import type { Said } from "../harness.ts";

/** Reads the newest lines of a Codex rollout (JSON lines). */
export const readRollout = (file: string, lines: number): Said[] => newestIn(file, lines, parseRow);

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
