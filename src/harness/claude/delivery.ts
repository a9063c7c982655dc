import { createHash } from "node:crypto";

import type { Receipt } from "../../contract/command.ts";
import { FleetError } from "../../lib/errors.ts";
import { until } from "../../lib/wait.ts";
import type { Desk, SubmitMode } from "../harness.ts";
import { put } from "./inbox.ts";
import { keep, lastWord } from "./journal.ts";
import { transcriptOf, type Conversation } from "./place.ts";
import type { Session } from "./registry.ts";
import { endOf, holds, isArrival, rowsFrom } from "./transcript.ts";

/** How long an idle Claude Code may take to put a message into the conversation. Seen: 50 to 200 ms. */
const proofMs = 5_000;
/** How long it may take to note in its transcript that it took a message. Seen: 10 to 100 ms. */
const takenMs = 2_000;
/** Its inbox drops lines that come too fast, without a word; what it dropped is put there again after a pause. */
const tries = 3;

/**
 * Delivers one message by the inbox and reads the receipt off Claude Code's own transcript. The caller holds the
 * agent's inbox, so that messages keep their order and their pace.
 */
export async function deliver(
  desk: Desk,
  conversation: Conversation,
  session: Session & { messagingSocketPath: string },
  message: { id: string; text: string; mode: SubmitMode },
): Promise<Receipt> {
  const { agent, place } = desk;
  const { id, text, mode } = message;
  const uuid = uuidOf(id);
  const file = () => transcriptOf(conversation, agent.workdir);
  const delivered: Receipt = { id, state: "delivered", by: "claude" };
  const queued: Receipt = { id, state: "queued", by: "claude", volatile: true };
  const word = lastWord(place.journal, id);
  if (word?.kind === "delivered") return delivered;
  if (word !== undefined) {
    if (holds(file(), uuid)) return arrived();
    // The process that took it still has it; one that is gone took it along, and it must be put there again.
    if (word.pid === session.pid) return queued;
  }
  const busy = session.status !== "idle";
  const start = endOf(file());
  const seen = (): "delivered" | "taken" | undefined => {
    const path = file();
    const rows = path === undefined ? [] : rowsFrom(path, start);
    if (rows.some((row) => isArrival(row, uuid))) return "delivered";
    return rows.some((row) => row.operation === "enqueue" && row.content === text) ? "taken" : undefined;
  };
  for (let at = 0; at < tries; at++) {
    if (!(await put(session.messagingSocketPath, { uuid, text, mode }))) break;
    const first = await until(seen, { withinMs: takenMs * (at + 1) });
    if (first === undefined) continue;
    keep(place.journal, { at: Date.now(), kind: "taken", id, pid: session.pid });
    const proof = async () =>
      first === "delivered" || (!busy && (await until(() => (seen() === "delivered" ? true : undefined), within)));
    return (await proof()) ? arrived() : queued;
  }
  throw new FleetError(
    "unreachable",
    `${agent.name} did not take the message; Claude Code drops what one sender repeats or sends too fast.`,
    {
      hint: `mosaic fleet explain ${agent.name}`,
    },
  );

  function arrived(): Receipt {
    keep(place.journal, { at: Date.now(), kind: "delivered", id, pid: session.pid });
    return delivered;
  }
}

const within = { withinMs: proofMs };

/** Claude Code keeps our id only where it is a UUID; any other gets one that is always the same. */
function uuidOf(id: string): string {
  if (/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/.test(id)) return id;
  const hex = createHash("sha256").update(id).digest("hex");
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-4${hex.slice(13, 16)}-8${hex.slice(17, 20)}-${hex.slice(20, 32)}`;
}
