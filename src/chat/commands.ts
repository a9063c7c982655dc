import { closest } from "fastest-levenshtein";

import type { Asker, Command } from "../contract/command.ts";
import type { Heard } from "./ledger.ts";
import type { Fleet } from "./parts.ts";
import { approvalText, fleetText, helpText, outcomeText, statusText } from "./words.ts";

/** Words that are carried out on the fleet, and those that change what is kept of the chat. */
const fleetWords = ["help", "ps", "status", "interrupt", "start", "stop", "restart", "approvals"] as const;
const chatWords = ["ask", "approve", "deny", "answer", "catchup", "drop"] as const;
const words = [...fleetWords, ...chatWords];

/** What a line that begins with / or ! asks for. */
export interface Order {
  word: (typeof words)[number];
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
  const word = words.find((one) => one === given.toLowerCase());
  if (word !== undefined) return { word, rest: rest.trim() };
  return {
    unknown: `There is no /${given}. Did you mean /${closest(given.toLowerCase(), words)}? /help lists all.`,
  };
}

/** Whether a command only looks: a kill in its middle leaves nothing open, so it may be done again. */
export const isLook = ({ word }: Order): boolean => ["help", "ps", "status", "approvals"].includes(word);

/** Who asks, as the policy knows them. */
export const askerOf = ({ account, speaker, speakerName, standing }: Heard): Extract<Asker, { kind: "chat" }> => ({
  kind: "chat",
  account,
  speaker,
  name: speakerName,
  standing,
});

/** Carries out a command and answers what to say. */
export async function carryOut(fleet: Fleet, by: Asker, order: FleetOrder, home: string): Promise<string> {
  const { word, rest } = order;
  const [first = "", ...more] = rest.split(/\s+/);
  const run = async (command: Command) => outcomeText(await fleet.control.run(command));
  switch (word) {
    case "help":
      return helpText;
    case "ps":
      return fleetText(await fleet.control.state());
    case "status":
      return first === "" ? fleetText(await fleet.control.state()) : statusText(await fleet.control.state(), first);
    case "start":
    case "stop":
    case "restart":
      if (first === "" || more.length > 0) return `Which one? /${word} AGENT`;
      return run({ do: word, agents: [first], by });
    case "interrupt":
      return run({ do: "interrupt", agent: first === "" ? home : first, by });
    case "approvals": {
      const open = await fleet.approvals();
      return open.length === 0 ? "Nobody waits to be allowed anything." : open.map(approvalText).join("\n");
    }
  }
}
