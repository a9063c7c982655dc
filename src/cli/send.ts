import type { Sending } from "../contract/command.ts";
import type { SendMode } from "../contract/message-names.ts";
import type { Message } from "../contract/message.ts";
import { exitCodes, FleetError } from "../lib/errors.ts";
import { tame } from "../lib/text.ts";
import type { Context } from "./context.ts";
import { printJson } from "./print-json.ts";

/** What the flags of `send` and `ask` come to. */
export interface SendOptions {
  all?: true | undefined;
  role?: "orchestrator" | "worker" | undefined;
  steer?: true | undefined;
  now?: true | undefined;
  wait?: "delivered" | "answered" | undefined;
  timeout?: number | undefined;
  expire?: number | undefined;
  id?: string | undefined;
  replyTo?: string | undefined;
  json?: true | undefined;
}

/** How long to wait where nobody said: for a place in the conversation, and for a whole turn. */
const usualWaitMs = { delivered: 60_000, answered: 10 * 60_000 } as const;

/** `send`: done when the message is kept for good, and with `--wait` when it got that far. Says how far it is. */
export async function send(context: Context, words: readonly string[], options: SendOptions): Promise<number> {
  const messages = await carryOut(context, words, options);
  if (options.json) printJson(context, { version: 1, messages });
  else for (const message of messages) context.err(`${message.to}: ${sayHow(message)} (${message.id})\n`);
  return codeOf(messages, options.wait);
}

/** `ask`: sends and waits for the answer, which is what it prints. */
export async function ask(context: Context, words: readonly string[], options: SendOptions): Promise<number> {
  const asked = { ...options, wait: "answered" } as const;
  const messages = await carryOut(context, words, asked);
  if (options.json) printJson(context, { version: 1, messages });
  else {
    for (const message of messages) {
      const name = messages.length > 1 ? `${message.to}: ` : "";
      if (message.answer !== null) context.out(`${name}${tame(message.answer).trimEnd()}\n`);
      else
        context.err(
          `${message.to} has not answered: ${sayHow(message)}\nNext: mosaic fleet inbox show ${message.id}\n`,
        );
    }
  }
  return codeOf(messages, "answered");
}

async function carryOut(context: Context, words: readonly string[], options: SendOptions): Promise<Message[]> {
  const toMany = options.all === true || options.role !== undefined;
  const [name = "", ...rest] = toMany ? ["", ...words] : words;
  const to: Sending["to"] = options.role === undefined ? (toMany ? "all" : [name]) : { role: options.role };
  const text = rest.length === 1 && rest[0] === "-" ? await readAll(context.stdin) : rest.join(" ");
  const mode: SendMode = options.now ? "now" : options.steer ? "steer" : "next";
  const { wait } = options;
  const outcome = await context.control.run(
    {
      by: context.by,
      do: "send",
      to,
      text,
      mode,
      id: options.id,
      replyTo: options.replyTo,
      expireMs: options.expire,
      wait: wait && { for: wait, ms: options.timeout ?? usualWaitMs[wait] },
    },
    context.progress,
  );
  return "messages" in outcome ? outcome.messages : [];
}

/** How far a message got, in words. */
export function sayHow({ state, reason }: Message): string {
  switch (state) {
    case "queued":
      return `accepted: it is kept${reason === null ? "" : `; ${reason}`}`;
    case "held":
      return `accepted and held: ${reason ?? "no reason is known"}`;
    case "delivered":
      return "delivered: it is in the conversation";
    case "typed":
      return "typed into its terminal; this program cannot say whether it read it";
    case "acted":
      return reason === null
        ? "delivered: it is in the conversation, and worked on"
        : `delivered, and its turn ended without an answer: ${reason}`;
    case "answered":
      return "delivered: it is in the conversation, and answered";
    case "failed":
      return `failed: ${reason ?? "no reason is known"}`;
    case "expired":
      return "expired: it was not delivered in time";
  }
}

/** 0 where all that was asked for is so. */
function codeOf(messages: readonly Message[], wait: SendOptions["wait"]): number {
  const reached = ({ state, delivered_at: at }: Message) =>
    wait === "answered"
      ? state === "answered" || state === "typed"
      : wait === "delivered"
        ? at !== null || state === "typed"
        : state !== "failed" && state !== "expired";
  return messages.every(reached) ? 0 : exitCodes.unreachable;
}

/** `interrupt`: ends the running turn. */
export async function interrupt(context: Context, agent: string): Promise<number> {
  const outcome = await context.control.run({ by: context.by, do: "interrupt", agent });
  if (outcome.did === "interrupt") context.err(`${agent}: ${outcome.note}\n`);
  return 0;
}

async function readAll(input: NodeJS.ReadStream): Promise<string> {
  if (input.isTTY)
    throw new FleetError("usage", "With - the message comes from a pipe or a file.", {
      hint: "mosaic fleet send AGENT - < FILE",
    });
  const parts: Buffer[] = [];
  for await (const part of input) parts.push(Buffer.from(part as Uint8Array));
  return Buffer.concat(parts).toString("utf8");
}
