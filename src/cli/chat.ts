import { randomUUID } from "node:crypto";

import type { ConsoleDoor, ConsoleLine } from "../contract/console.ts";
import { FleetError } from "../lib/errors.ts";
import { visible } from "../lib/text.ts";
import type { Context } from "./context.ts";

export interface ChatOptions {
  lines?: number;
  timeout?: number | undefined;
  json?: true | undefined;
}

/** `chat`: this machine's own chat with the fleet. With a text, or from a pipe: says it, waits for the answer, prints it. */
export async function chat(context: Context, words: readonly string[], options: ChatOptions): Promise<number> {
  if (context.by.kind === "agent") {
    throw new FleetError("conflict", "The chat is the person's; an agent sends messages.", {
      hint: 'mosaic fleet send mos "…"',
    });
  }
  const text =
    words.join(" ") === "-" || (words.length === 0 && !context.interactive) ? await piped(context) : words.join(" ");
  const door = (await context.daemon()).console;
  if (text !== "") return once(context, door, text, options);
  if (!context.interactive)
    throw new FleetError("usage", "There is nothing to say.", { hint: 'mosaic fleet chat "How is it going?"' });
  return (await import("./converse.ts")).converse(context, door, options);
}

/** `report`: an agent's word to the person. */
export async function report(
  context: Context,
  words: readonly string[],
  options: { file?: string | undefined },
): Promise<number> {
  const text = words.join(" ") === "-" ? await piped(context) : words.join(" ");
  const { chats } = await context.report({ text, file: options.file });
  context.err(chats === 1 ? "kept: the person gets it in the chat\n" : `kept: the person gets it in ${chats} chats\n`);
  return 0;
}

async function piped({ stdin }: Context): Promise<string> {
  let text = "";
  for await (const part of stdin.setEncoding("utf8")) text += String(part);
  return text.trim();
}

/** Says one thing and prints what comes back for it: exit 0 with an answer, 5 without one in time. */
async function once(context: Context, door: ConsoleDoor, text: string, options: ChatOptions): Promise<number> {
  const id = randomUUID();
  const timeout = AbortSignal.timeout(options.timeout ?? 600_000);
  const refused = new AbortController();
  const signal = AbortSignal.any([context.signal, timeout, refused.signal]);
  const own = replies((line) => line.replyTo === id);
  /** One turn may answer what two have said: then it answers whoever was first, and only the end of this one is told. */
  const newest = replies((line) => line.replyTo !== null);
  /** What was said of it last, for whoever waits no longer. */
  let latest: { id: string; text: string } | undefined;
  // What is said before somebody listens could be answered before; so the listening begins first.
  const lines = door.follow(0, signal);
  const first = lines.next();
  first.catch(() => {}); // told below, where the other fault is not told already
  await door.say({ id, text }).catch((error: unknown) => {
    refused.abort();
    throw error;
  });
  for await (const line of startingWith(first, lines)) {
    if (options.json && line.kind !== "typing") context.out(`${JSON.stringify(line)}\n`);
    own.take(line);
    newest.take(line);
    if (line.kind === "text" && line.replyTo === id) latest = line;
    if (line.kind === "edit" && line.of === latest?.id) latest = { id: line.of, text: line.text };
    if (line.kind === "text" && line.replyTo === id) context.progress(visible(line.text));
    if (line.kind !== "mark" || line.of !== id || line.mark === "heard") continue;
    const texts = own.texts().length > 0 ? own.texts() : newest.last();
    if (!options.json) context.out(texts.map((said) => `${visible(said)}\n`).join(""));
    return line.mark === "done" ? 0 : 5;
  }
  if (context.signal.aborted) throw new FleetError("cancelled", "Cancelled; what was said stays said.");
  throw new FleetError(
    "unreachable",
    `There is no answer yet; what was said is kept, and the answer will be.${latest === undefined ? "" : ` ${visible(latest.text)}`}`,
    {
      hint: "mosaic fleet chat",
    },
  );
}

/**
 * What of the chat is a reply of that kind, and its further parts; whatever else is said meanwhile (a question of an agent)
 * is none, and what is changed later was progress.
 */
function replies(isOne: (line: ConsoleLine & { kind: "text" }) => boolean) {
  const found = new Map<string, string>();
  let newest = "";
  const isPart = (id: string, first: string) => id.startsWith(first) && /^ \d+$/.test(id.slice(first.length));
  return {
    take(line: ConsoleLine): void {
      if (line.kind === "edit") found.delete(line.of);
      if (line.kind !== "text") return;
      const isFirst = isOne(line);
      if (isFirst) newest = line.id;
      if (isFirst || [...found.keys()].some((one) => isPart(line.id, one))) found.set(line.id, line.text);
    },
    texts: () => [...found.values()],
    /** The newest of them, whole. */
    last: () => [...found].flatMap(([id, text]) => (id === newest || isPart(id, newest) ? [text] : [])),
  };
}

async function* startingWith<T>(first: Promise<IteratorResult<T>>, rest: AsyncGenerator<T>): AsyncGenerator<T> {
  try {
    const { value, done } = await first;
    if (done !== true) yield value;
    yield* rest;
  } finally {
    await rest.return(undefined);
  }
}
