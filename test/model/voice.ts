import { randomUUID } from "node:crypto";

import type { Ask } from "./ask.ts";
import type { Usage } from "./reply.ts";

/** What a voice must know before its first word. */
export interface Opening {
  ask: Ask;
  usage: Usage;
  includeUsage: boolean;
}

/** How one wire says one reply. The methods return bytes to send; who sends them, and when, is not its concern. */
export interface Voice {
  open(): string;
  say(piece: string): string;
  call(tool: string, args: Record<string, unknown>): string;
  close(): string;
  /** The whole reply as one JSON value, for a client that does not stream; everything said so far is in it. */
  whole(): unknown;
}

export const event = (name: string, data: object): string =>
  `event: ${name}\ndata: ${JSON.stringify({ type: name, ...data })}\n\n`;

/** Random, not counted: a resumed conversation may meet a server that was started again, and ids must not repeat. */
export const freshId = (prefix: string): string => `${prefix}_${randomUUID().replaceAll("-", "")}`;

/** JSON arguments in two deltas: a harness that handles only whole ones would be found out here. */
export function halves(json: string): [string, string] {
  const middle = Math.floor(json.length / 2);
  return [json.slice(0, middle), json.slice(middle)];
}
