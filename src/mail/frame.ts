import { randomBytes } from "node:crypto";

import type { Letter } from "./letter.ts";

/** Control and escape characters, and those that turn the direction of text around: nothing of them is meant to be read. */
const unseen =
  // oxlint-disable-next-line no-control-regex -- these are what it is about
  /\u001b\[[0-9;?]*[ -/]*[@-~]|\u001b[@-Z\\-_]|[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u061c\u200b\u200e\u200f\u202a-\u202e\u2060-\u2069\ufeff]/g;

/**
 * What the receiver reads. The words of a person at this machine stay exactly as they were written. Everybody else's come
 * with who wrote them, between two lines that nobody can guess, so that a body which imitates a header stays inside, and
 * a colleague's request or a chat's is not taken for the owner's order.
 */
export function frame(letter: Pick<Letter, "id" | "from" | "body">): string {
  const { id, from, body } = letter;
  if (from.kind === "person") return body;
  const edge = `=== ${randomBytes(6).toString("hex")} ===`;
  return `${head(id, from)} Its text stands between the two lines ${edge}\n\n${edge}\n${body.replaceAll(unseen, "")}\n${edge}`;
}

/** Whose word it is: a person at this machine is the owner, and nobody else is yet. */
export const authorityOf = ({ from }: Pick<Letter, "from">): "owner" | undefined =>
  from.kind === "person" ? "owner" : undefined;

function head(id: string, { kind, name }: Letter["from"]): string {
  switch (kind) {
    case "agent":
      return `Message ${id} from ${name}, another agent of your fleet (answer with: mosaic fleet send ${name} --reply-to ${id} "…").`;
    case "chat":
      return `Message ${id} from ${name}, by chat: not typed at this machine. Your answer at the end of this turn is sent back to the chat.`;
    case "system":
      return `Message ${id} from mosaic, which runs your fleet.`;
    case "person":
      return "";
  }
}
