import type { Connector, Out, Sent } from "../connector/connector.ts";
import { pause } from "../lib/wait.ts";
import { budgetOf } from "./budget.ts";
import type { Outbox, Outgoing } from "./outbox.ts";

/** How long one attempt may take. */
const attemptMs = 15_000;
/** Full jitter between tries: base, cap, and how long anything is tried at all. */
const baseMs = 1_000;
const capMs = 60_000;
const giveUpMs = 24 * 3_600_000;
/** How long a lane rests of which something could not be noted. */
const restMs = 5_000;
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
  /** Whether the platform refuses the whole account, which a person must mend; then nothing is refused for good. */
  isRefused: () => Promise<boolean>;
  /** When the connection last came up: what failed before that need not wait out its time. */
  upAt: () => number;
}

/**
 * Sends what waits of one account: in each chat one after another, and marks beside it, since who wrote shall see at once
 * that it was heard. Runs until the signal; `wait` returns at the next ring or after so many ms.
 */
export async function sendWaiting(
  parts: SenderParts,
  wait: (atMostMs: number, until: AbortSignal) => Promise<void>,
  signal: AbortSignal,
): Promise<void> {
  const { account, outbox, now } = parts;
  const { perSecond, editEveryMs } = parts.connector.capabilities;
  const budget = budgetOf(perSecond, now);
  const busy = new Map<string, Promise<void>>();
  const lastEdit = new Map<string, number>();
  /** Lanes of which nothing but an outage kept something back, and when that was. */
  const cutOff = new Map<string, number>();
  /** Lanes that rest, since when and for how long: the platform takes no more, or something could not even be noted. */
  const resting = new Map<string, { at: number; ms: number }>();
  const done = new AbortController();
  let rung = () => {};
  let isRefused = false;
  const fault = (error: unknown) => parts.log("chat-fault", error instanceof Error ? error.message : String(error));

  async function attempt(row: Outgoing): Promise<void> {
    const { lane, saying } = row;
    try {
      const { refused, laneMs, accountMs, unasked } = await tryOne(parts, row, signal);
      isRefused ||= refused === true;
      if (unasked === true) cutOff.set(lane, now());
      if (laneMs !== undefined) resting.set(lane, { at: now(), ms: laneMs });
      if (accountMs !== undefined) budget.rest(accountMs);
    } catch (error) {
      // A fault of ours, or a disk that is full: neither the daemon's end nor a busy loop.
      resting.set(lane, { at: now(), ms: restMs });
      fault(error);
    }
    busy.delete(lane);
    if (saying.kind === "edit") lastEdit.set(saying.of, now());
    for (const [of, at] of lastEdit) if (!isAhead(at, editEveryMs)) lastEdit.delete(of);
    rung();
  }
  function begin(row: Outgoing): void {
    resting.delete(row.lane);
    cutOff.delete(row.lane);
    budget.spend();
    busy.set(row.lane, attempt(row));
  }
  /** Whether so long after that moment is still to come. A moment that has not come yet is a clock's that was set back. */
  const isAhead = (at: number, ms: number): boolean => at <= now() && at + ms > now();
  const dueOf = ({ lane, saying, dueAt, changedAt }: Outgoing): number => {
    const edited = saying.kind === "edit" ? lastEdit.get(saying.of) : undefined;
    const rests = resting.get(lane);
    const isBack = (cutOff.get(lane) ?? Infinity) < parts.upAt();
    return Math.max(
      isBack || changedAt > now() ? 0 : dueAt,
      edited !== undefined && isAhead(edited, editEveryMs) ? edited + editEveryMs : 0,
      rests !== undefined && isAhead(rests.at, rests.ms) ? rests.at + rests.ms : 0,
    );
  };

  while (!signal.aborted) {
    let next = now() + capMs;
    const finished = new Promise<void>((resolve) => (rung = resolve));
    try {
      for (const row of isRefused ? [] : outbox.waiting(account)) {
        if (busy.has(row.lane)) continue;
        const due = Math.max(dueOf(row), budget.nextAt());
        if (due > now()) next = Math.min(next, due);
        else begin(row);
      }
    } catch (error) {
      fault(error);
      next = now() + restMs;
    }
    const turn = new AbortController();
    await Promise.race([wait(Math.max(0, next - now()), turn.signal), finished]);
    turn.abort(); // or thousands of them would wait
  }
  // What is cut off here is looked at by its key at the next start.
  await Promise.race([Promise.all(busy.values()), pause(2_000, done.signal)]);
  done.abort();
}

/** What one try means for those after it: the account is refused, its lane or the whole account must rest. */
interface Aftermath {
  refused?: true;
  laneMs?: number | undefined;
  accountMs?: number | undefined;
  /** It is tried again by our own patience alone: the platform did not ask for any. */
  unasked?: true;
}

async function tryOne({ account, ...parts }: SenderParts, row: Outgoing, signal: AbortSignal): Promise<Aftermath> {
  const { outbox, connector, now, log } = parts;
  // A kill came between its try and the note of what became of it.
  if (row.state === "sending" && !mayRepeat(parts, row)) {
    giveOver(parts, row, "mosaic ended while it was being sent");
    return {};
  }
  const out = outOf(parts, row);
  if (out === undefined) {
    outbox.move(row.seq, "failed", now(), { why: "it has lost its meaning" });
    return {};
  }
  outbox.move(row.seq, "sending", now());
  const result = await connector.send(out, AbortSignal.any([signal, AbortSignal.timeout(attemptMs)]));
  const fail = (why: string): Aftermath => {
    if (row.saying.kind === "file") tellInstead(parts, row, row.saying, why);
    outbox.move(row.seq, "failed", now(), { why });
    log("chat-unsent", `${account} ${row.saying.kind}: ${why}`);
    return {};
  };
  switch (result.kind) {
    case "sent":
      outbox.move(row.seq, "sent", now(), { ids: result.ids });
      return { laneMs: result.restMs };
    case "never":
      // With the whole account refused this says nothing of the message: it goes out when a person has mended that.
      if (!(await parts.isRefused())) return fail(result.why);
      outbox.move(row.seq, "new", now(), { why: result.why, dueAt: now() });
      return { refused: true };
    case "later":
    case "unknown": {
      if (now() - row.createdAt > giveUpMs) return fail(`given up after a day: ${result.why}`);
      if (result.kind === "unknown" && !mayRepeat(parts, row)) {
        giveOver(parts, row, result.why);
        return {};
      }
      const waitMs = waitOf(parts, row, result);
      outbox.move(row.seq, "new", now(), { why: result.why, dueAt: now() + waitMs });
      if (result.kind === "later" && result.wholeAccount === true) return { accountMs: waitMs };
      return result.kind === "later" && result.afterMs !== undefined ? {} : { unasked: true };
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
function giveOver(
  { outbox, now }: Pick<SenderParts, "outbox" | "now">,
  { seq, account, key, saying, ...to }: Outgoing,
  why: string,
): void {
  outbox.move(seq, "unknown", now(), { why });
  if ((saying.kind !== "text" && saying.kind !== "file") || key.endsWith(" again")) return;
  outbox.say(account, to, `${key} again`, { ...saying, text: `(may repeat) ${saying.text ?? ""}`.trim() }, now());
}

/** A file may be all that somebody waits for: an answer too long for a message, what an agent reports. */
function tellInstead(
  { outbox, now }: Pick<SenderParts, "outbox" | "now">,
  { account, key, chat, thread }: Outgoing,
  { name, path, text = "", replyTo }: Extract<Outgoing["saying"], { kind: "file" }>,
  why: string,
): void {
  const said = `${text}\n(${name} could not be sent: ${why} It lies in ${path}.)`.trim();
  const reply = replyTo === undefined ? {} : { replyTo };
  outbox.sayLong(account, { chat, thread }, `${key} unsent`, { text: said, ...reply }, now());
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
