import { messageStates, type MessageState } from "../contract/message-names.ts";
import { listMessages, showMessage } from "../fleet/mailbox.ts";
import { FleetError } from "../lib/errors.ts";
import { age, painter, table, tame, type Style } from "../lib/text.ts";
import type { Context } from "./context.ts";
import { printJson } from "./print-json.ts";
import { sayHow } from "./send.ts";

const colors: Partial<Record<MessageState, Style>> = {
  answered: "green",
  delivered: "cyan",
  acted: "cyan",
  held: "yellow",
  queued: "yellow",
  failed: "red",
  expired: "red",
};

/** `inbox`: the newest messages, to whom, from whom, and how far each got. */
export async function inbox(
  context: Context,
  agent: string | undefined,
  options: { lines: number; state?: string | undefined; json?: true | undefined },
): Promise<number> {
  const states = options.state?.split(",").map((word) => checkState(word));
  const to = agent ?? (context.by.kind === "agent" ? context.by.name : undefined);
  const messages = await listMessages(context.world, { to, states, last: options.lines });
  if (options.json) {
    printJson(context, { version: 1, messages });
    return 0;
  }
  if (messages.length === 0) {
    const which = states === undefined ? "" : `${states.join(" or ")} `;
    context.err(`There are no ${which}messages${to === undefined ? "" : ` to ${to}`}.\n`);
    return 0;
  }
  const paint = painter(context.color);
  const now = context.world.now();
  const head = ["ID", "AGE", "FROM", "TO", "STATE", "TEXT"].map((word) => paint("bold", word));
  const rows = messages.map((message) => [
    message.id.slice(0, 8),
    age(Math.max(0, now - Date.parse(message.at))),
    message.from.name,
    message.to,
    paint(colors[message.state] ?? "bold", message.state) + (message.reason === null ? "" : `: ${message.reason}`),
    tame(message.text).replaceAll(/\s+/g, " ").slice(0, 60),
  ]);
  context.out(table([head, ...rows], context.columns));
  return 0;
}

/** `inbox show`: one message whole, its answer, and what became of it when. */
export async function show(context: Context, id: string, options: { json?: true | undefined }): Promise<number> {
  const { message, history } = await showMessage(context.world, id);
  if (options.json) {
    printJson(context, { version: 1, message, history });
    return 0;
  }
  const paint = painter(context.color);
  context.out(`${paint("bold", message.id)} from ${message.from.name} to ${message.to}: ${sayHow(message)}\n\n`);
  context.out(`${tame(message.text).trimEnd()}\n\n`);
  if (message.answer !== null) context.out(`${paint("green", "answer")}\n${tame(message.answer).trimEnd()}\n\n`);
  context.out(table(history.map((step) => [step.at, step.state, step.note ?? ""])));
  return 0;
}

/** `inbox retry`, `inbox cancel`. */
export async function change(
  context: Context,
  what: "retry" | "cancel",
  message: string,
  options: { json?: true | undefined },
): Promise<number> {
  const outcome = await context.control.run({ by: context.by, do: what, message });
  const messages = "messages" in outcome ? outcome.messages : [];
  if (options.json) printJson(context, { version: 1, messages });
  else for (const one of messages) context.err(`${one.to}: ${sayHow(one)} (${one.id})\n`);
  return 0;
}

function checkState(word: string): MessageState {
  const found = messageStates.find((state) => state === word);
  if (found !== undefined) return found;
  throw new FleetError(
    "usage",
    `${JSON.stringify(word)} is no state of a message; there are ${messageStates.join(", ")}.`,
    {
      hint: "mosaic fleet inbox --state queued,held",
    },
  );
}
