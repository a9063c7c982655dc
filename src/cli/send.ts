import type { Receipt, SendMode } from "../contract/command.ts";
import { FleetError } from "../lib/errors.ts";
import type { Context } from "./context.ts";

const words: Record<Receipt["state"], string> = {
  delivered: "delivered: it is in the conversation",
  queued: "accepted: it is kept, and read when the running turn ends",
  typed: "typed into its terminal; this program cannot say whether it read it",
};

/** More than any model reads at once, and what the way into a harness takes as one line. */
const longest = 1024 * 1024;

const steering = "accepted: it is kept, and goes into the running turn at its next step";
/** What is only in a harness's memory is not called kept. */
const inMemory = (text: string) =>
  text
    .replace("it is kept, and read", "the harness holds it in memory and reads it")
    .replace("it is kept,", "the harness holds it in memory,");

/** `send`: done only when the harness accepted it, and says how far it got. */
export async function send(
  context: Context,
  ask: { agent: string; text: readonly string[]; mode: SendMode; json?: true | undefined },
): Promise<number> {
  const text = ask.text.length === 1 && ask.text[0] === "-" ? await readAll(context.stdin) : ask.text.join(" ");
  if (text.trim() === "")
    throw new FleetError("usage", "The message is empty.", { hint: `mosaic fleet send ${ask.agent} "…"` });
  if (Buffer.byteLength(text) > longest) {
    throw new FleetError("usage", `The message has ${Buffer.byteLength(text)} bytes; ${longest} is the most.`, {
      hint: `put it into a file, and send where it is: mosaic fleet send ${ask.agent} "read …"`,
    });
  }
  const outcome = await context.control.run(
    { by: context.by, do: "send", agent: ask.agent, text, mode: ask.mode },
    context.progress,
  );
  if (outcome.did !== "send") return 1;
  const { receipt } = outcome;
  if (ask.json) context.out(`${JSON.stringify({ version: 1, agent: ask.agent, ...receipt })}\n`);
  else {
    const steered = ask.mode === "steer" && receipt.state === "queued";
    const said = steered ? steering : words[receipt.state];
    context.err(`${ask.agent}: ${receipt.volatile ? inMemory(said) : said} (${receipt.id})\n`);
  }
  return 0;
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
