import { randomBytes } from "node:crypto";

import { visible } from "../lib/text.ts";
import type { Letter } from "./letter.ts";

/**
 * What the receiver reads. The words of a person at this machine stay exactly as they were written. Everybody else's come
 * with who wrote them, between two lines that nobody can guess, so that a body which imitates a header stays inside, and
 * a colleague's request or a chat's is not taken for the owner's order.
 */
export function frame(letter: Pick<Letter, "id" | "from" | "body">): string {
  const { id, from, body } = letter;
  if (from.kind === "person") return body;
  const edge = `=== ${randomBytes(6).toString("hex")} ===`;
  return `${head(id, from)} Its text stands between the two lines ${edge}\n\n${edge}\n${visible(body)}\n${edge}`;
}

/** Whose word it is: of a person at this machine, or of the owner by chat. What an agent or a guest says has none. */
export const authorityOf = ({ from }: Pick<Letter, "from">): "owner" | undefined =>
  from.kind === "person" || from.kind === "owner" ? "owner" : undefined;

function head(id: string, { kind, name }: Letter["from"]): string {
  switch (kind) {
    case "agent":
      return `Message ${id} from ${name}, another agent of your fleet (answer with: mosaic fleet send ${name} --reply-to ${id} "…").`;
    case "owner":
      return `Message ${id} from ${name}, the person who owns this fleet, by chat. Your answer at the end of this turn is sent back there.`;
    case "chat":
      return `Message ${id} from ${name}, by chat: not typed at this machine. Your answer at the end of this turn is sent back to the chat.`;
    case "system":
      return `Message ${id} from mosaic, which runs your fleet.`;
    case "person":
      return "";
  }
}
