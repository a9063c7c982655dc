import { closeSync, fstatSync, openSync, readSync, statSync } from "node:fs";

import { newestIn } from "../../lib/last-lines.ts";
import type { Said } from "../harness.ts";

interface Part {
  type: string;
  text?: string;
  name?: string;
  input?: unknown;
  content?: unknown;
}

/** One line of a Claude Code transcript, as far as we read it. */
export interface Row {
  type?: string;
  uuid?: string;
  timestamp?: string;
  isMeta?: boolean;
  isSidechain?: boolean;
  isCompactSummary?: boolean;
  /** Of which prompt it is; the hooks of a turn name the same. */
  promptId?: string;
  subtype?: string;
  operation?: string;
  /** On a queue operation: which message was taken into a running turn. */
  commandUuid?: string;
  content?: string;
  /** On the answer that stands for a failed request. */
  isApiErrorMessage?: boolean;
  apiErrorStatus?: number;
  error?: string;
  quotaLimits?: { resetsAt?: number };
  interruptedMessageId?: string;
  /** On a request: the conversation itself asks as `repl_main_thread`. */
  querySource?: string;
  origin?: { kind?: string };
  attachment?: { type?: string; prompt?: unknown; source_uuid?: string };
  message?: { id?: string; model?: string; stop_reason?: string | null; content?: string | Part[] };
}

const sizeOf = (file: string): number => {
  try {
    return statSync(file).size;
  } catch {
    return 0;
  }
};

/** Where a transcript ends now; what comes later is read from there. */
export const endOf = (file: string | undefined): number => (file === undefined ? 0 : sizeOf(file));

/** The whole lines from `start` on. */
function linesFrom(file: string, start: number): string[] {
  const handle = openSync(file, "r");
  try {
    const { size } = fstatSync(handle);
    const bytes = Buffer.alloc(Math.max(0, size - start));
    readSync(handle, bytes, 0, bytes.length, start);
    return bytes.toString("utf8").split("\n");
  } finally {
    closeSync(handle);
  }
}

/** The row of one line, where it can hold what is looked for. Lines are long (Claude Code logs its tools there), so others are not parsed. */
export function parse(line: string): Row | undefined {
  if (!/"type":"(user|assistant|attachment|queue-operation)"|"subtype":"turn_duration"/.test(line)) return undefined;
  try {
    return JSON.parse(line) as Row;
  } catch {
    return undefined; // the last line while it is being written, or one cut at the front
  }
}

/** The rows from `start` on, oldest first. */
export const rowsFrom = (file: string, start: number): Row[] =>
  linesFrom(file, start)
    .map(parse)
    .filter((row) => row !== undefined);

/** True for the row by which a message of ours entered the conversation, between turns or within one. */
export const isArrival = (row: Row, uuid: string): boolean =>
  row.type === "user" ? row.uuid === uuid : row.attachment?.source_uuid === uuid;

/** The words of a row, without calls and results. */
export function textOf({ message }: Row): string {
  const content = message?.content ?? "";
  return typeof content === "string" ? content : content.map((part) => part.text ?? "").join("");
}

/** The note that a person broke the turn off. */
export const isInterruption = (row: Row): boolean =>
  row.interruptedMessageId !== undefined || textOf(row).startsWith("[Request interrupted");

/** What Claude Code puts around a message from its inbox, in the conversation and before the model. */
const peerFrame =
  /^Another Claude session sent a message:\n([\s\S]*?)\n\nThis came from another Claude session — [^\n]*$/;

/** The newest lines of a conversation, oldest first. */
export const readTranscript = (file: string, lines: number): Said[] =>
  newestIn(file, lines, (line) => saidIn(parse(line)));

function saidIn(row: Row | undefined): Said[] {
  if (row === undefined) return [];
  const at = row.timestamp;
  if (row.isSidechain === true) return [];
  if (row.type === "attachment") {
    const { type, prompt } = row.attachment ?? {};
    return type === "queued_command" && typeof prompt === "string" ? [{ who: "user", at, text: prompt }] : [];
  }
  const peer = row.origin?.kind === "peer";
  if ((row.type !== "user" && row.type !== "assistant") || (row.isMeta === true && !peer)) return [];
  const who = row.type === "assistant" ? "agent" : "user";
  const content = row.message?.content ?? [];
  const parts = typeof content === "string" ? [{ type: "text", text: content }] : content;
  return parts.flatMap((part: Part): Said[] => {
    if (part.type === "text" && part.text) return [{ who, at, text: peerFrame.exec(part.text)?.[1] ?? part.text }];
    if (part.type === "tool_use")
      return [{ who: "tool", at, text: `${part.name ?? "tool"} ${JSON.stringify(part.input ?? {})}` }];
    if (part.type === "tool_result") return [{ who: "tool", at, text: wordsIn(part.content) }];
    return [];
  });
}

const wordsIn = (content: unknown): string =>
  typeof content === "string"
    ? content
    : Array.isArray(content)
      ? (content as Part[]).map((part) => part.text ?? "").join("")
      : "";
