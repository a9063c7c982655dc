import { newestIn } from "../../lib/last-lines.ts";
import type { Said } from "../harness.ts";

/** Reads the newest lines of a Pi session file (JSON lines). Pi writes it with its first answer. */
export const readTranscript = (file: string, lines: number): Said[] => newestIn(file, lines, parseRow);

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
