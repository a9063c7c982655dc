import type { Receipt } from "../../contract/command.ts";
import { FleetError, type FaultCode } from "../../lib/errors.ts";
import { until } from "../../lib/wait.ts";
import type { Desk } from "../harness.ts";
import { keep, lastWord, type JournalLine } from "./journal.ts";
import { instanceOf, type Session } from "./registry.ts";
import { eventsFrom, sizeOf, spoolOf } from "./spool.ts";

/** How long a pasted message may take until Claude Code says that it was submitted. Seen: 50 to 300 ms. */
const proofMs = 10_000;
/** How long after another sender's death its message may still show. */
const lateMs = 1_000;

/**
 * The way in for a Claude Code without an inbox: typed into its terminal as one paste, and only where that disturbs
 * nobody. Not into a running turn: what waits there becomes a person's draft when the turn is interrupted (seen). The
 * receipt is its own event that a prompt was submitted, never the screen. The caller holds the lock.
 */
export async function paste(desk: Desk, session: Session, message: { id: string; text: string }): Promise<Receipt> {
  const { agent, place, terminal } = desk;
  const { id, text } = message;
  const at = { name: agent.name, socket: place.terminal };
  const delivered: Receipt = { id, state: "delivered", by: "claude" };
  const note = (more: Pick<JournalLine, "kind" | "size" | "prompt">): void =>
    keep(place.journal, {
      at: Date.now(),
      id,
      process: instanceOf(session),
      session: session.sessionId,
      ...more,
    });
  const word = lastWord(place.journal, id);
  if (word?.kind === "delivered") return delivered;
  const start = word?.size ?? sizeOf(spoolOf(desk));
  const submitted = () => eventsFrom(spoolOf(desk), start).find(({ event }) => event.prompt?.includes(text.trim()));
  if (word !== undefined) {
    // Whoever typed it before died before its receipt.
    const before = await until(submitted, { withinMs: lateMs });
    if (before !== undefined) {
      note({ kind: "delivered", prompt: before.event.prompt_id });
      return delivered;
    }
  }
  const refuse = (why: string, hint = `mosaic fleet attach ${agent.name}`, code: FaultCode = "conflict") =>
    new FleetError(code, `${agent.name} has no inbox, and ${why}; the message was not sent.`, { hint });
  // Its editor reads these at a message's front as commands, and a tab as blanks.
  if (/^\s*[/!#@&]/.test(text) || text.includes("\t") || text.trim() === "")
    throw refuse("this text would not arrive as it is when typed", "put a word before it", "usage");
  if (session.status === "waiting") throw refuse("a dialog is open that typed text would answer");
  if (session.status !== "idle") throw refuse("it works on something", "send it again when it is idle");
  const draft = draftOn(await terminal.capture(at));
  if (draft === undefined) throw refuse("its screen does not show where to type");
  if (draft !== "") throw refuse("somebody's half-typed draft is in its terminal");
  note({ kind: "putting", size: start });
  await terminal.type(at, text);
  const proof = await until(submitted, { withinMs: proofMs });
  if (proof === undefined) {
    throw new FleetError("unreachable", `${agent.name} did not say that it took the message.`, {
      hint: `mosaic fleet tail ${agent.name}`,
    });
  }
  note({ kind: "delivered", prompt: proof.event.prompt_id });
  return delivered;
}

/** What stands in its editor, between the two rules of its screen; undefined where there is no editor. */
export function draftOn(screen: string): string | undefined {
  const lines = screen.split("\n");
  const below = lines.findLastIndex((line) => /^─{20}/.test(line));
  const above = lines.findLastIndex((line, at) => at < below && /^─{20}/.test(line));
  const first = lines[above + 1];
  if (above < 0 || first === undefined || !first.startsWith("❯")) return undefined;
  const typed = lines
    .slice(above + 1, below)
    .join("\n")
    .slice(1)
    .trim();
  // What Claude Code itself puts there while it is empty.
  return /^(Try "[^\n]*|Press up to edit queued messages)$/.test(typed) ? "" : typed;
}
