import type { Trace } from "../harness.ts";

/** A message as Pi keeps it, in its memory and in its session file. */
export interface Kept {
  role: string;
  content: string | readonly { type: string; text?: string }[];
  timestamp?: number;
  stopReason?: string;
  errorMessage?: string;
}

type End = NonNullable<Trace["end"]>;

/** The words of a message, without pictures and calls. */
export function textOf(message: Pick<Kept, "content">): string {
  if (typeof message.content === "string") return message.content;
  return message.content.map((part) => (part.type === "text" ? (part.text ?? "") : "")).join("");
}

/** What Pi's last word in a turn says of how it ended; `text` is the newest that was said in it. */
export function endBy(last: Kept | undefined, text: string): End {
  switch (last?.stopReason) {
    case "stop":
    case "length":
      return { kind: "answered", text, ...(last.timestamp !== undefined && { at: last.timestamp }) };
    case "error":
      return { kind: "broken", why: last.errorMessage ?? "the request failed" };
    case undefined:
      return { kind: "broken", cut: true, why: "Pi ended before it had answered" };
    default:
      return { kind: "broken", why: "interrupted" }; // aborted, or broken off between a tool and the next answer
  }
}

/**
 * How the turn ended, in a conversation that nobody works on any more, in which a message was read; undefined where the
 * message is not there. Whatever came in while tools were used belongs to the same turn.
 */
export function endIn(messages: readonly Kept[], at: { text: string; stamp: number | undefined }): End | undefined {
  const from = messages.findLastIndex(
    (one) =>
      one.role === "user" &&
      textOf(one) === at.text &&
      (at.stamp === undefined || (one.timestamp ?? at.stamp) === at.stamp),
  );
  if (from < 0) return undefined;
  let last: Kept | undefined;
  let text = "";
  for (const one of messages.slice(from + 1)) {
    if (one.role === "user" && last !== undefined && last.stopReason !== "toolUse") break;
    if (one.role !== "assistant") continue;
    last = one;
    text = textOf(one) || text;
  }
  return endBy(last?.stopReason === "toolUse" ? undefined : last, text);
}
