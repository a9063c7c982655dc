import { randomUUID } from "node:crypto";
import { createInterface, moveCursor } from "node:readline";

import type { ConsoleDoor, ConsoleLine } from "../contract/console.ts";
import { FleetError } from "../lib/errors.ts";
import { painter, visible } from "../lib/text.ts";
import { pause } from "../lib/wait.ts";
import type { ChatOptions } from "./chat.ts";
import type { Context } from "./context.ts";

/** How often a line is said again to a daemon that is just starting anew; the same id is the same line. */
const tries = 80;
const betweenMs = 250;
/** How long a daemon that has ended may take to come back by itself. */
const graceMs = 1_000;

/** A conversation at the terminal, until Ctrl-D. */
export async function converse(
  context: Context,
  door: ConsoleDoor,
  options: Pick<ChatOptions, "lines">,
): Promise<number> {
  const paint = painter(context.color);
  const end = new AbortController();
  const signal = AbortSignal.any([context.signal, end.signal]);
  const prompt = createInterface({ input: context.stdin, output: process.stdout, prompt: "> " });
  context.err("Whatever you write goes to the orchestrator; /help lists commands, Ctrl-D leaves. Agents work on.\n");
  // What was typed last may still be on its way when the line is closed.
  let isOpen = true;
  prompt.once("close", () => (isOpen = false));
  const pasted = hearPastes(context, () => isOpen && prompt.prompt());
  /** Prints above what is just being typed, which may be several rows high. */
  const show = (text: string) => {
    if (isOpen) moveCursor(process.stdout, 0, -prompt.getCursorPos().rows);
    process.stdout.write(`\r\u001b[J${text}\n`);
    if (isOpen) prompt.prompt(true);
  };
  let said: Promise<unknown> = Promise.resolve();
  /** What was typed here stands here already. */
  const own = new Set<string>();
  const note = (text: string) => show(paint("dim", text));
  const reading = read(context, door, { last: options.lines ?? 20, signal, note }, (line) => {
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

/** Follows the chat, over a daemon that ends: it is brought up again, as for whoever opens a chat. */
async function read(
  context: Context,
  door: ConsoleDoor,
  { last, signal, note }: { last: number; signal: AbortSignal; note: (text: string) => void },
  show: (line: ConsoleLine) => void,
): Promise<void> {
  let seen = -1;
  while (!signal.aborted) {
    try {
      for await (const line of door.follow(seen < 0 ? last : 1_000, signal)) {
        if (line.kind !== "typing" && line.seq <= seen) continue;
        if (line.kind !== "typing") seen = line.seq;
        show(line);
      }
    } catch (error) {
      if (signal.aborted) return;
      if (!(error instanceof FleetError)) throw error;
      note("The daemon is away; it is brought up again. What you write meanwhile is said then.");
      if (await bringBack(context, signal, note)) note("The daemon is back.");
    }
  }
}

/** It may come back by itself, as at an update. False where nobody waits for it any more. */
async function bringBack(context: Context, signal: AbortSignal, note: (text: string) => void): Promise<boolean> {
  let told = "";
  for (;;) {
    await pause(graceMs, signal);
    if (signal.aborted) return false;
    try {
      await context.daemon();
      return true;
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error);
      if (why !== told) note(why);
      told = why;
    }
  }
}

async function insist<T>(work: () => Promise<T>, signal: AbortSignal): Promise<T> {
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
