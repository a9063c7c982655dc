import type { Inbound } from "../connector/connector.ts";
import type { Wiring } from "../contract/connector.ts";

/** What somebody may: an owner everything, a user talk and look. */
export type Standing = "owner" | "user";

/** Why something that came in is not for us. `stranger` is the one that the owner hears of. */
export type Refusal = "self" | "bot" | "stranger" | "channel" | "unaddressed";

/** The one judgement of who may speak: messages, edits, choices and what was missed alike. What is not named is refused. */
export function judgeAccess(wiring: Wiring, inbound: Inbound): { standing: Standing } | { refused: Refusal } {
  const { speaker, chat, kind } = inbound;
  if (speaker.isSelf) return { refused: "self" };
  if (speaker.isBot) return { refused: "bot" };
  if (!inbound.isDirect && !wiring.channels.includes(chat)) return { refused: "channel" };
  const standing = standingOf(wiring, speaker.id);
  if (standing === undefined) return { refused: "stranger" };
  // A choice is on a message of ours, a word on a list of ours; that is address enough.
  const isOfOurs = kind === "press" || kind === "word";
  if (wiring.mention && !inbound.isDirect && !inbound.isToUs && !isOfOurs) return { refused: "unaddressed" };
  return { standing };
}

/** By the stable id only: a name is whatever somebody wants to be called. */
export function standingOf({ owners, users }: Wiring, speaker: string): Standing | undefined {
  if (speaker === "") return undefined;
  return owners.includes(speaker) ? "owner" : users.includes(speaker) ? "user" : undefined;
}
