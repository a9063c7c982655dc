import { randomUUID } from "node:crypto";
import { createInterface, moveCursor } from "node:readline";

import type { ConsoleDoor, ConsoleLine } from "../contract/console.ts";
import { FleetError } from "../lib/errors.ts";
import { painter, visible } from "../lib/text.ts";
import type { Context } from "./context.ts";

/** How often a line is said again to a daemon that is just starting anew; the same id is the same line. */
const tries = 40;
const betweenMs = 250;

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
  return converse(context, door, options);
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

/** A conversation at the terminal, until Ctrl-D. */
async function converse(context: Context, door: ConsoleDoor, options: ChatOptions): Promise<number> {
  const paint = painter(context.color);
  const end = new AbortController();
  const signal = AbortSignal.any([context.signal, end.signal]);
  const prompt = createInterface({ input: context.stdin, output: process.stdout, prompt: "> " });
  context.err("Whatever you write goes to the orchestrator; /help lists commands, Ctrl-D leaves. Agents work on.\n");
  const pasted = hearPastes(context, () => isOpen && prompt.prompt());
  // What was typed last may still be on its way when the line is closed.
  let isOpen = true;
  prompt.once("close", () => (isOpen = false));
  /** Prints above what is just being typed, which may be several rows high. */
  const show = (text: string) => {
    if (isOpen) moveCursor(process.stdout, 0, -prompt.getCursorPos().rows);
    process.stdout.write(`\r\u001b[J${text}\n`);
    if (isOpen) prompt.prompt(true);
  };
  let said: Promise<unknown> = Promise.resolve();
  /** What was typed here stands here already. */
  const own = new Set<string>();
  const away = () =>
    show(paint("dim", "The daemon is away; waiting for it. Next, in another terminal: mosaic fleet start"));
  const reading = read(door, { last: options.lines ?? 20, signal, away }, (line) => {
    if (line.kind === "said" && own.has(line.id)) return;
    const shown = lineText(line, paint);
    if (shown !== undefined) show(shown);
  });
  prompt.prompt();
  prompt.on("line", (line) => {
    const typed = pasted.whole(line);
    if (typed === undefined) return;
    if (typed.trim() === "") return isOpen ? prompt.prompt() : undefined;
    const id = randomUUID();
    own.add(id);
    // One after another: lines that are pasted keep their order, also over a daemon that is started anew.
    said = said
      .then(() => insist(() => door.say({ id, text: typed }), context.signal))
      .catch((error: unknown) =>
        show(
          `${paint("red", `not said: ${error instanceof Error ? error.message : String(error)}`)} It was: ${visible(typed)}`,
        ),
      );
    return isOpen ? prompt.prompt() : undefined;
  });
  await new Promise<void>((resolve) => {
    prompt.on("close", resolve);
    signal.addEventListener("abort", () => resolve(), { once: true });
  });
  prompt.close();
  pasted.end();
  await said; // what was typed just before the end is said too
  end.abort();
  await reading;
  context.err("\n");
  return 0;
}

/**
 * What is pasted over several lines is one message, said with the Enter that follows. The terminal marks where a paste begins
 * and ends where it is asked to; else each line would be a message, and a turn, of its own.
 */
function hearPastes({ stdin }: Context, prompt: () => unknown) {
  let isPasting = false;
  let held: string[] = [];
  const hear = (_: unknown, key: { name?: string } | undefined) => {
    if (key?.name === "paste-start") isPasting = true;
    if (key?.name === "paste-end") isPasting = false;
  };
  stdin.on("keypress", hear);
  process.stdout.write("\u001b[?2004h");
  return {
    /** The message that this line completes; undefined inside of one. */
    whole(line: string): string | undefined {
      if (isPasting) {
        held.push(line);
        prompt();
        return undefined;
      }
      const whole = held.length === 0 ? line : [...held, line].join("\n").trimEnd();
      held = [];
      return whole;
    },
    end(): void {
      stdin.off("keypress", hear);
      process.stdout.write("\u001b[?2004l");
    },
  };
}

/** Follows the chat, over a daemon that is started anew. */
async function read(
  door: ConsoleDoor,
  { last, signal, away }: { last: number; signal: AbortSignal; away: () => void },
  show: (line: ConsoleLine) => void,
): Promise<void> {
  let isAway = false;
  let seen = -1;
  while (!signal.aborted) {
    try {
      for await (const line of door.follow(seen < 0 ? last : 1_000, signal)) {
        if (line.kind !== "typing" && line.seq <= seen) continue;
        if (line.kind !== "typing") seen = line.seq;
        isAway = false;
        show(line);
      }
    } catch (error) {
      if (signal.aborted) return;
      if (!(error instanceof FleetError)) throw error;
      if (!isAway) away();
      isAway = true;
      await insist(() => firstOf(door.follow(1, AbortSignal.timeout(1_000))), signal).catch(() => {});
    }
  }
}

async function firstOf(lines: AsyncGenerator<ConsoleLine>): Promise<void> {
  await lines.next();
  await lines.return(undefined);
}

async function insist<T>(work: () => Promise<T>, signal: AbortSignal): Promise<T> {
  const { pause } = await import("../lib/wait.ts");
  for (let left = tries; ; left--) {
    try {
      return await work();
    } catch (error) {
      if (left === 0 || signal.aborted || !(error instanceof FleetError) || error.code !== "unreachable") throw error;
      await pause(betweenMs, signal);
    }
  }
}

/** One line as people read it. What others wrote cannot move the cursor or turn the text around. */
function lineText(line: ConsoleLine, paint: ReturnType<typeof painter>): string | undefined {
  const time = paint("dim", new Date(line.at).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" }));
  switch (line.kind) {
    case "said":
      return `${time} ${paint("cyan", line.name)}: ${visible(line.text)}`;
    case "text":
      return `${time} ${paint("green", "fleet")}: ${visible(line.text)}`;
    case "edit":
      return `${time} ${paint("dim", `fleet: ${visible(line.text)}`)}`;
    case "file":
      return `${time} ${paint("green", "fleet")}: ${visible(line.name)} lies in ${line.path}${line.text === null ? "" : `\n${visible(line.text)}`}`;
    case "mark":
      return line.mark === "failed" ? `${time} ${paint("red", "not answered")}` : undefined;
    case "typing":
      return undefined;
  }
}
