import { closest, distance } from "fastest-levenshtein";

import type { Word } from "../connector/connector.ts";

const agent = { name: "agent", about: "its name, as /ps shows it", isNeeded: true };
const code = { name: "code", about: "the code that stands under the question", isNeeded: true };

/** Words that are carried out on the fleet, and those for which what is kept of the chat is needed. */
const fleetWords = ["help", "ps", "status", "interrupt", "start", "stop", "restart"] as const;
const chatWords = ["ask", "approvals", "approve", "deny", "answer", "catchup", "drop"] as const;
type Known = (typeof fleetWords)[number] | (typeof chatWords)[number];

const meanings: Record<Known, Omit<Word, "word">> = {
  ps: { about: "all agents and how they are", wants: [] },
  status: { about: "how one of them is, and who says so", wants: [{ ...agent, isNeeded: false }] },
  ask: {
    about: "write to another agent; its answer comes here",
    wants: [agent, { name: "text", about: "what you want to say", isNeeded: true }],
  },
  interrupt: {
    about: "end a running turn; the orchestrator's, if no name is given",
    wants: [{ ...agent, isNeeded: false }],
  },
  start: { about: "start an agent", wants: [agent] },
  stop: { about: "stop an agent", wants: [agent] },
  restart: { about: "restart an agent, with its conversation", wants: [agent] },
  approvals: { about: "what agents wait to be allowed", wants: [] },
  approve: { about: "allow it this once", wants: [code] },
  deny: { about: "do not allow it", wants: [code] },
  answer: {
    about: "answer a question with options",
    wants: [code, { name: "choice", about: "a number, 1,3 for several, or your own words", isNeeded: true }],
  },
  catchup: { about: "hand on what was written while mosaic was away", wants: [] },
  drop: { about: "forget what was written while mosaic was away", wants: [] },
  help: { about: "list these", wants: [] },
};

/** Every word there is, in the order in which people read them. */
export const words: readonly (Word & { word: Known })[] = Object.entries(meanings).map(([word, meaning]) => ({
  word: word as Known,
  ...meaning,
}));

/** What a line that begins with / or ! asks for. */
export interface Order {
  word: Known;
  rest: string;
}
export interface FleetOrder extends Order {
  word: (typeof fleetWords)[number];
}

export const isFleetOrder = (order: Order): order is FleetOrder => fleetWords.some((word) => word === order.word);

/** A path or an emoticon is no command; anything that looks like one and is none gets a suggestion. */
export function parseOrder(text: string): Order | { unknown: string } | undefined {
  const [, given, rest = ""] = /^[/!]([a-z]{2,})(?:\s+([\s\S]*))?$/i.exec(text.trim()) ?? [];
  if (given === undefined) return undefined;
  const found = words.find(({ word }) => word === given.toLowerCase());
  if (found !== undefined) return { word: found.word, rest: rest.trim() };
  const near = closest(
    given.toLowerCase(),
    words.map(({ word }) => word),
  );
  // Far from everything it was no slip, and a suggestion would only puzzle.
  const meant = distance(given.toLowerCase(), near) <= 2 ? ` Did you mean /${near}?` : "";
  return { unknown: `There is no /${given}.${meant} /help lists all.` };
}

/** Whether a command only looks: a kill in its middle leaves nothing open, so it may be done again. */
export const isLook = ({ word }: Order): boolean => ["help", "ps", "status", "approvals"].includes(word);
