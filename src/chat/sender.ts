import type { Connector, Out, Sent } from "../connector/connector.ts";
import { pause } from "../lib/wait.ts";
import type { Outbox, Outgoing } from "./outbox.ts";

/** How long one attempt may take. */
const attemptMs = 15_000;
/** Full jitter between tries: base, cap, and how long anything is tried at all. */
const baseMs = 1_000;
const capMs = 60_000;
const giveUpMs = 24 * 3_600_000;
/** How long "is typing" is worth saying: platforms forget it as fast. */
const typingMs = 8_000;

export interface SenderParts {
  account: string;
  connector: Connector;
  outbox: Outbox;
  now: () => number;
  /** 0 to 1. */
  random: () => number;
  log: (event: string, note: string) => void;
}

/**
 * Sends what waits of one account: in each chat one after another, and marks beside it, since who wrote shall see at once
 * that it was heard. Runs until the signal; `wait` returns at the next ring or after so many ms.
 */
export async function sendWaiting(
  parts: SenderParts,
  wait: (atMostMs: number) => Promise<void>,
  signal: AbortSignal,
): Promise<void> {
  const { account, outbox, now } = parts;
  const busy = new Map<string, Promise<void>>();
  const lastEdit = new Map<string, number>();
  const done = new AbortController();
  let rung = () => {};
  for (const row of outbox.waiting(account)) if (row.state === "sending") afterCrash(parts, row);
  while (!signal.aborted) {
    let next = now() + capMs;
    const heads = new Set<string>();
    for (const row of outbox.waiting(account)) {
      const lane = laneOf(row);
      if (heads.has(lane) || busy.has(lane)) continue;
      heads.add(lane);
      const due = Math.max(row.dueAt, editDue(parts, row, lastEdit));
      if (due > now()) {
        next = Math.min(next, due);
        continue;
      }
      const attempt = tryOne(parts, row, signal)
        .catch((error: unknown) => {
          // A fault of ours must not become a busy loop.
          outbox.move(row.seq, "new", now(), { dueAt: now() + capMs });
          parts.log("chat-fault", error instanceof Error ? error.message : String(error));
        })
        .finally(() => {
          busy.delete(lane);
          if (row.saying.kind === "edit") lastEdit.set(row.saying.of, now());
          rung();
        });
      busy.set(lane, attempt);
    }
    const finished = new Promise<void>((resolve) => (rung = resolve));
    await Promise.race([wait(Math.max(0, next - now())), finished]);
  }
  // What is cut off here is looked at by its key at the next start.
  await Promise.race([Promise.all(busy.values()), pause(2_000, done.signal)]);
  done.abort();
}

/** That something was heard is said at once; that it is done, behind the answer. */
const isAtOnce = (saying: Outgoing["saying"]): boolean =>
  saying.kind === "typing" || (saying.kind === "mark" && saying.mark === "heard");

const laneOf = ({ chat, thread, saying }: Outgoing): string =>
  `${isAtOnce(saying) ? "mark" : "text"} ${chat} ${thread ?? ""}`;

function editDue({ connector }: SenderParts, { saying }: Outgoing, lastEdit: ReadonlyMap<string, number>): number {
  if (saying.kind !== "edit") return 0;
  const last = lastEdit.get(saying.of);
  return last === undefined ? 0 : last + connector.capabilities.editEveryMs;
}

async function tryOne({ account, ...parts }: SenderParts, row: Outgoing, signal: AbortSignal): Promise<void> {
  const { outbox, connector, now, log } = parts;
  const out = outOf(parts, row);
  if (out === undefined) return outbox.move(row.seq, "failed", now(), { why: "it has lost its meaning" });
  outbox.move(row.seq, "sending", now());
  const result = await connector.send(out, AbortSignal.any([signal, AbortSignal.timeout(attemptMs)]));
  const fail = (why: string) => {
    outbox.move(row.seq, "failed", now(), { why });
    log("chat-unsent", `${account} ${row.saying.kind}: ${why}`);
  };
  switch (result.kind) {
    case "sent":
      return outbox.move(row.seq, "sent", now(), { ids: result.ids });
    case "never":
      return fail(result.why);
    case "later":
    case "unknown": {
      if (now() - row.createdAt > giveUpMs) return fail(`given up after a day: ${result.why}`);
      if (result.kind === "unknown" && !mayRepeat(parts, row)) {
        outbox.move(row.seq, "unknown", now(), { why: result.why });
        return repeat(parts, row);
      }
      return outbox.move(row.seq, "new", now(), { why: result.why, dueAt: now() + waitOf(parts, row, result) });
    }
  }
}

function waitOf({ random }: Pick<SenderParts, "random">, { attempts }: Outgoing, result: Sent): number {
  const jitter = random() * Math.min(capMs, baseMs * 2 ** Math.min(attempts, 10));
  return result.kind === "later" ? Math.max(result.afterMs ?? 0, jitter) : jitter;
}

/** Changing a message or marking it twice is the same as once. */
const mayRepeat = (
  { connector, now }: Pick<SenderParts, "connector" | "now">,
  { saying, changedAt }: Outgoing,
): boolean =>
  now() - changedAt < connector.capabilities.idempotentMs || !(saying.kind === "text" || saying.kind === "file");

/** It may be there already and nobody can look: better twice, and said so, than not at all. */
function repeat({ outbox, now }: Pick<SenderParts, "outbox" | "now">, { account, key, saying, ...to }: Outgoing): void {
  if (saying.kind !== "text" || key.endsWith(" again")) return;
  outbox.say(account, to, `${key} again`, { ...saying, text: `(may repeat) ${saying.text}` }, now());
}

/** What a kill cut off in the middle of its try. */
function afterCrash(parts: SenderParts, row: Outgoing): void {
  if (mayRepeat(parts, row)) return parts.outbox.move(row.seq, "new", parts.now());
  parts.outbox.move(row.seq, "unknown", parts.now(), { why: "mosaic ended while it was being sent" });
  return repeat(parts, row);
}

/** What the connector is asked to do; undefined where that has lost its meaning. */
function outOf({ outbox, now }: Pick<SenderParts, "outbox" | "now">, row: Outgoing): Out | undefined {
  const { key, chat, thread, saying } = row;
  const to = { key, chat, thread };
  if (saying.kind === "typing") return now() - row.createdAt > typingMs ? undefined : { ...to, ...saying };
  if (saying.kind !== "edit") return { ...to, ...saying };
  const message = outbox.find(saying.of)?.ids[0];
  return message === undefined
    ? undefined
    : { ...to, kind: "edit", message, text: saying.text, choices: saying.choices };
}
