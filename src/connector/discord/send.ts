import { createHash } from "node:crypto";
import { openAsBlob } from "node:fs";

import type { Choice, Mark, Out, Sent } from "../connector.ts";
import type { Answer, Ask, Rest } from "./rest.ts";

/** What everybody may upload, whatever the server's level. */
export const maxFile = 10 * 1024 * 1024;
const pictures: Record<Mark, string> = { heard: "👀", done: "✅", failed: "⚠️" };
const styles: Record<Choice["style"], number> = { plain: 2, ok: 3, danger: 4 };
const perRow = 5;
const longestLabel = 80;

/** One attempt. */
export async function sendOnce(rest: Rest, out: Out, signal: AbortSignal): Promise<Sent> {
  if (out.kind === "file") return sendFile(rest, out, signal);
  const answer = await rest(askFor(out), signal);
  return out.kind === "text" || out.kind === "edit" ? withId(answer) : withoutId(answer);
}

function askFor(out: Exclude<Out, { kind: "file" }>): Ask {
  const messages = `/channels/${out.thread ?? out.chat}/messages`;
  switch (out.kind) {
    case "text":
      return { method: "POST", path: messages, body: { ...said(out), components: rows(out.choices) } };
    case "edit":
      return {
        method: "PATCH",
        path: `${messages}/${out.message}`,
        body: { content: out.text, allowed_mentions: { parse: [] }, components: rows(out.choices) },
      };
    case "mark":
      return {
        method: "PUT",
        path: `${messages}/${out.message}/reactions/${encodeURIComponent(pictures[out.mark])}/@me`,
      };
    case "typing":
      return { method: "POST", path: `/channels/${out.thread ?? out.chat}/typing` };
  }
}

/** A new message. The nonce follows from the key, so that a second attempt is the same message; nobody is ever pinged. */
function said(out: { key: string; text?: string | undefined; replyTo?: string | undefined }) {
  return {
    content: out.text ?? "",
    nonce: createHash("sha256").update(out.key).digest("base64url").slice(0, 25),
    enforce_nonce: true,
    allowed_mentions: { parse: [] },
    ...(out.replyTo !== undefined && { message_reference: { message_id: out.replyTo, fail_if_not_exists: false } }),
  };
}

function rows(choices: readonly Choice[] = []) {
  const buttons = choices.map((choice) => ({
    type: 2,
    style: styles[choice.style],
    label: labelOf(choice),
    custom_id: choice.id,
  }));
  return Array.from({ length: Math.ceil(buttons.length / perRow) }, (_, row) => ({
    type: 1,
    components: buttons.slice(row * perRow, (row + 1) * perRow),
  }));
}

/** Discord refuses the whole message for a button without a word on it, or with half a character. */
function labelOf({ label }: Choice): string {
  const cut = label
    .trim()
    .slice(0, longestLabel)
    .replace(/\p{Surrogate}$/u, "");
  return cut.trim() === "" ? "…" : cut.trim();
}

async function sendFile(rest: Rest, out: Out & { kind: "file" }, signal: AbortSignal): Promise<Sent> {
  let content: Blob;
  try {
    content = await openAsBlob(out.path);
  } catch {
    return { kind: "never", why: `The file ${out.name} cannot be read.` };
  }
  if (content.size > maxFile) {
    return {
      kind: "never",
      why: `The file ${out.name} is larger than the ${maxFile / 1024 / 1024} MB that Discord takes.`,
    };
  }
  const form = new FormData();
  // The file's part names it. Discord takes the name in `attachments` too, which other servers stumble over.
  form.set("payload_json", JSON.stringify(said(out)));
  form.set("files[0]", content, out.name);
  return withId(await rest({ method: "POST", path: `/channels/${out.thread ?? out.chat}/messages`, form }, signal));
}

function withId(answer: Answer): Sent {
  const id = answer.kind === "ok" ? (answer.body as { id?: unknown } | undefined)?.id : undefined;
  if (answer.kind === "ok" && typeof id !== "string") {
    return { kind: "unknown", why: "Discord's answer names no message." };
  }
  return withoutId(answer, typeof id === "string" ? [id] : []);
}

function withoutId(answer: Answer, ids: readonly string[] = []): Sent {
  if (answer.kind === "ok") {
    return answer.restMs === undefined ? { kind: "sent", ids } : { kind: "sent", ids, restMs: answer.restMs };
  }
  return answer.kind === "never" ? { kind: "never", why: answer.why } : answer;
}
