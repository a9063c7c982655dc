import type { Receipt } from "../../contract/command.ts";
import { FleetError } from "../../lib/errors.ts";
import { pause, until } from "../../lib/wait.ts";
import type { Desk, Handed } from "../harness.ts";
import { put } from "./inbox.ts";
import { keep, lastWord, type JournalLine } from "./journal.ts";
import { paceOf } from "./pace.ts";
import { transcriptOf, type Conversation } from "./place.ts";
import { instanceOf, type Session } from "./registry.ts";
import { endOf, isArrival, rowsFrom } from "./transcript.ts";
import { uuidOf } from "./uuid.ts";
import { dropWarrant, layWarrant } from "./warrant.ts";

/** How long an idle Claude Code may take to put a message into the conversation. Seen: 50 to 200 ms. */
const proofMs = 5_000;
/** How long it may take to note in its transcript that it took a message. Seen: 10 to 100 ms. */
const takenMs = 2_000;
/**
 * How often one message is put on the inbox. Again is no danger here: what one process sends twice in a row Claude Code
 * drops. From another process it would take it twice, and show the model both, though it writes down only one.
 */
const tries = 3;

/**
 * Delivers one message by the inbox and reads the receipt off Claude Code's own transcript. The caller holds the
 * agent's inbox, so that messages keep their order, and has just seen that Claude Code answers on it.
 */
export async function deliver(
  desk: Desk,
  conversation: Conversation,
  session: Session & { messagingSocketPath: string },
  message: Handed,
): Promise<Receipt> {
  const { agent, place } = desk;
  const { id, text, mode } = message;
  const uuid = uuidOf(id);
  const instance = instanceOf(session);
  const open = { ...conversation, id: session.sessionId ?? conversation.id };
  const file = () => transcriptOf(open, agent.workdir);
  const delivered: Receipt = { id, state: "delivered", by: "claude" };
  const queued: Receipt = { id, state: "queued", by: "claude", volatile: true };
  const note = (kind: JournalLine["kind"], size?: number) =>
    keep(place.journal, {
      at: Date.now(),
      kind,
      id,
      process: instance,
      session: open.id,
      ...(size !== undefined && { size }),
    });
  const busy = session.status !== "idle";

  const word = lastWord(place.journal, id);
  if (word?.kind === "delivered") return delivered;
  if (word !== undefined) {
    const before = { ...conversation, id: word.session ?? conversation.id };
    const since = word.size ?? 0;
    const there = () => statusSince(transcriptOf(before, agent.workdir), since);
    if (there() === "delivered") return arrived();
    if (word.process === instance) {
      // The process that took it still has it.
      if (word.kind === "taken") return queued;
      // Its sender died between the two. What it had sent by then Claude Code has read before it answered us, and will
      // have written down soon; what it has not is put there now.
      const found = await until(there, { withinMs: takenMs });
      if (found !== undefined) return settle(found, there);
    }
    // Otherwise the process is gone, and took along what was not yet in the conversation.
  }

  const start = endOf(file());
  const seen = () => statusSince(file(), start);
  const pace = paceOf(instance);
  await pause(pace.wait(text, Date.now()));
  note("putting", start);
  if (message.authority === "owner") layWarrant(desk, { pid: session.pid, uuid, id, text });
  for (let at = 0; at < tries; at++) {
    pace.spend(text, Date.now());
    if (!(await put(session.messagingSocketPath, { uuid, text, mode }))) break;
    const first = await until(seen, { withinMs: takenMs * (at + 1) });
    if (first !== undefined) return settle(first, seen);
  }
  dropWarrant(desk, { pid: session.pid, uuid });
  throw new FleetError(
    "unreachable",
    `${agent.name} did not take the message; Claude Code takes no more while 50 wait, nor what one sender sends too fast.`,
    {
      hint: `mosaic fleet explain ${agent.name}`,
    },
  );

  function statusSince(path: string | undefined, from: number): "delivered" | "taken" | undefined {
    const rows = path === undefined ? [] : rowsFrom(path, from);
    if (rows.some((row) => isArrival(row, uuid))) return "delivered";
    return rows.some((row) => row.operation === "enqueue" && row.content === text) ? "taken" : undefined;
  }

  async function settle(first: "delivered" | "taken", look: () => "delivered" | "taken" | undefined): Promise<Receipt> {
    if (first === "delivered") return arrived();
    note("taken");
    if (busy) return queued;
    const proof = await until(() => (look() === "delivered" ? true : undefined), { withinMs: proofMs });
    return proof ? arrived() : queued;
  }

  function arrived(): Receipt {
    note("delivered");
    return delivered;
  }
}
