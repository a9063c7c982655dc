import { createHash } from "node:crypto";

/** The three model APIs, called as Pi calls them in its models.json. */
export type Wire = "anthropic-messages" | "openai-responses" | "openai-completions";

export type Turn =
  | { role: "user"; text: string }
  | { role: "assistant"; text: string; calls: string[] }
  | { role: "tool"; text: string };

/** One tool the harness offered. */
export interface Offer {
  name: string;
  /** The names of its arguments: the same tool wants `path` in one harness and `file_path` in another. */
  fields: readonly string[];
  /** Codex offers MCP tools inside a namespace and wants it back, beside the bare name, in the call. */
  inside?: { namespace: string; name: string };
}

/** What a harness asked, whatever wire it came on. */
export interface Ask {
  wire: Wire;
  model: string;
  system: string;
  tools: readonly string[];
  offers: readonly Offer[];
  turns: readonly Turn[];
  /** The text of the last message a user wrote; tool results and text the harness added are not part of it. */
  lastUser: string;
  /** The results that came after that message, in order. */
  toolResults: readonly string[];
  /** How many assistant steps with a tool call came after that message; calls made side by side are one step. */
  answered: number;
}

/** Derives everything a script decides on from the turns, so that the wires cannot disagree about it. */
export function assembleAsk(parts: Pick<Ask, "wire" | "model" | "system" | "offers" | "turns">): Ask {
  const { turns, offers } = parts;
  const last = turns.findLastIndex((turn) => turn.role === "user");
  const since = turns.slice(last + 1);
  return {
    ...parts,
    tools: offers.map((offer) => offer.name),
    lastUser: turns[last]?.text ?? "",
    toolResults: since.filter((turn) => turn.role === "tool").map((turn) => turn.text),
    answered: since.filter((turn) => turn.role === "assistant" && turn.calls.length > 0).length,
  };
}

/** Adds an assistant turn, merging with one just before: a wire may split one step over several items. */
export function addAssistant(turns: Turn[], text: string, calls: readonly string[]): void {
  const before = turns.at(-1);
  if (before?.role !== "assistant") {
    turns.push({ role: "assistant", text, calls: [...calls] });
    return;
  }
  before.text += text;
  before.calls.push(...calls);
}

// Harnesses put their own words under the user's role. Only a block that is one of these from its first to its last
// character is dropped: a user who quotes a tag keeps every byte.
const harnessWritten = [
  /^\s*<(system-reminder|environment_context|user_instructions|turn_aborted)>[\s\S]*<\/\1>\s*$/,
  /^# AGENTS\.md instructions/,
  /^\[Request interrupted by user[^\]]*\]$/,
];

export const isHarnessWritten = (text: string): boolean => harnessWritten.some((pattern) => pattern.test(text));

const asksForTitle = /\b(generate|create|write|suggest|give|provide|produce|extract)\b.{0,80}\btitle\b/is;

/** A request a harness makes for itself, outside the conversation; it always comes without tools. */
export function sideRequest(ask: Ask): "title" | "summary" | undefined {
  if (ask.tools.length > 0) return undefined;
  // A compaction quotes the conversation, directives included: performing them again would be wrong.
  if (/\bsummari[sz]/i.test(ask.system)) return "summary";
  if (/\btitle\b/i.test(ask.system)) return "title";
  return ask.turns.some((turn) => turn.role === "user" && asksForTitle.test(turn.text)) ? "title" : undefined;
}

/** The fingerprint by which delivery is proved: length in UTF-8 bytes and SHA-256. */
export function fingerprint(text: string): { len: number; sha256: string } {
  const bytes = Buffer.from(text, "utf8");
  return { len: bytes.length, sha256: createHash("sha256").update(bytes).digest("hex") };
}
