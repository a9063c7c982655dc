import type { Receipt } from "../contract/command.ts";
import type { Handed, Trace } from "../harness/harness.ts";
import { FleetError } from "../lib/errors.ts";
import { authorityOf, frame } from "./frame.ts";
import type { Letter } from "./letter.ts";
import type { Store } from "./store.ts";
import { takenUp, takeUp } from "./takeup.ts";

/** Why a message that the harness has taken is not in the conversation yet. */
const inQueue = "it is in its queue, and read as soon as its turn allows";
const inTurn = "it goes into the running turn";

/** Whether an agent can take a message now; where not, whether it is held on purpose, and why. `process` names its process. */
export type Gate =
  | { open: true; process: string }
  | { open: false; as: "queued" | "held"; reason: string; process: string | undefined };

/** The way to one agent. */
export interface Door {
  gate(): Promise<Gate>;
  submit(message: Handed): Promise<Receipt>;
  /** What the harness's own record says of these; undefined where it keeps none. */
  trace(ids: readonly string[]): Promise<ReadonlyMap<string, Trace>>;
  interrupt(): Promise<void>;
  /** Begins what lies unread in an idle harness. */
  goOn(): Promise<void>;
  /** The agent's process, where it was started again after an end that nobody had asked for. */
  revived: string | undefined;
}

/** How long an answer is listened for once the turn broke, and where nothing tells how the turn ends. */
const brokenMs = 10 * 60_000;
const silentMs = 24 * 3_600_000;
const isForgotten = ({ state, reason, changedAt, deliveredAt }: Letter, now: number): boolean =>
  deliveredAt !== undefined && now - changedAt > (state === "acted" && reason !== undefined ? brokenMs : silentMs);

/** How many are looked at between two looks at the agent. */
const batch = 64;
/** How many messages may lie in a harness's own queue: it may drop more (Claude: 50), and its memory dies with it. */
const mostHanded = 16;
/** And how many with those that are to be read before the others. */
const mostUrgent = 32;

/**
 * Brings what waits for one agent to it, in order, and hears what became of what it has. Whoever calls holds the agent's
 * delivery, so there is one deliverer at a time. Ends when nothing more can be done now.
 */
export async function deliver(store: Store, to: string, door: Door, now: () => number): Promise<void> {
  await hear(store, to, door, now);
  await goOn(store, to, door);
  for (;;) {
    const due = store.due(to, batch);
    if (due.length === 0) return;
    const gate = await door.gate();
    for (const letter of due) if (isLate(letter, now())) expire(store, letter, now());
    if (!gate.open) {
      store.shut(to, gate.as, gate.reason, now());
      const { process } = gate;
      if (gate.as !== "held" || process === undefined) return;
      for (const letter of due.filter((one) => one.forced && one.handedTo !== process))
        if (!(await submit(store, letter, door, process, now))) return;
      return;
    }
    // What this very process has been handed it still has; it is heard of sooner or later.
    let inside = due.filter((letter) => letter.handedTo === gate.process).length;
    const next = due.filter((letter) => letter.handedTo !== gate.process);
    if (next.length === 0) return;
    for (const letter of next) {
      // Bringing those before it took its time.
      if (isLate(letter, now())) {
        expire(store, letter, now());
        continue;
      }
      if (inside >= (letter.mode === "next" ? mostHanded : mostUrgent)) return;
      const got = await submit(store, letter, door, gate.process, now);
      if (got === false) return;
      if (got === "inside") inside++;
    }
  }
}

const isLate = ({ expiresAt, handedTo }: Letter, now: number): boolean =>
  expiresAt !== undefined && expiresAt <= now && handedTo === undefined;

const expire = (store: Store, { id }: Letter, now: number): void =>
  store.move(id, { state: "expired", reason: "it was not delivered in time", closed: true }, now);

/** Hands over one message, and says what became of it; false where nothing behind it should be tried now. */
async function submit(
  store: Store,
  letter: Letter,
  door: Door,
  process: string,
  now: () => number,
): Promise<"inside" | "over" | false> {
  const { id, mode } = letter;
  // Durable before it happens: after a crash it is known that it may have happened, and the harness is asked by its id.
  if (!store.attempt(id, now())) return "over"; // taken back while those before it were brought
  try {
    if (mode === "now") await door.interrupt();
    const receipt = await door.submit({
      id,
      text: frame(letter),
      mode: mode === "next" ? mode : "steer", // an interruption makes it go on with what waited, which this is to precede
      authority: authorityOf(letter),
    });
    const at = now();
    if (receipt.state === "typed") store.move(id, { state: "typed", reason: undefined, closed: true }, at);
    else if (receipt.state === "delivered")
      store.move(id, { state: "delivered", reason: undefined, deliveredAt: at }, at);
    else store.move(id, { state: "queued", reason: mode === "next" ? inQueue : inTurn }, at);
    store.hand(id, process);
    return receipt.state === "queued" ? "inside" : "over";
  } catch (error) {
    if (!(error instanceof FleetError)) throw error;
    store.hand(id, undefined); // nobody has it: the adapter would have said so
    // This one can never get there, and must not keep those behind it.
    if (error.code === "usage") {
      store.move(id, { state: "failed", reason: error.message, closed: true }, now());
      return "over";
    }
    store.move(id, { state: error.code === "conflict" ? "held" : "queued", reason: error.message }, now());
    return false;
  }
}

/** An interruption, also a person's in its terminal, may leave lying inside the harness what it has not read yet. */
async function goOn(store: Store, to: string, door: Door): Promise<void> {
  const unread = store.handed(to).filter(({ state }) => state === "queued" || state === "delivered");
  const gate = unread.length === 0 ? undefined : await door.gate();
  if (gate?.open !== true || !unread.some((letter) => letter.handedTo === gate.process)) return;
  try {
    await door.goOn();
  } catch (error) {
    if (!(error instanceof FleetError)) throw error; // it is asked again at the next look
  }
}

/** Asks the harness's own record about everything that is not over. */
async function hear(store: Store, to: string, door: Door, now: () => number): Promise<void> {
  const asked = store.handed(to);
  if (asked.length === 0) return;
  const traces = await door.trace(asked.map((letter) => letter.id));
  for (const letter of asked) {
    const trace = traces.get(letter.id);
    const again = takenUp(store, letter);
    if (again?.state === "answered" && trace?.end?.kind !== "answered") {
      const { answer = "", answeredAt = now() } = again;
      store.move(letter.id, { state: "answered", reason: undefined, answer, answeredAt, closed: true }, now());
      continue;
    }
    if (again !== undefined && !again.closed) continue; // that one is heard of
    if (trace?.end?.kind !== "answered" && isForgotten(letter, now())) {
      store.move(letter.id, { reason: letter.reason ?? "nothing more was heard of it", closed: true }, now());
      continue;
    }
    if (trace === undefined) continue;
    const deliveredAt = trace.at ?? now(); // what is known already stays
    if (trace.end === undefined) {
      // A broken turn may have been taken up again.
      const state = trace.acted || letter.state === "acted" ? "acted" : "delivered";
      store.move(letter.id, { state, reason: undefined, deliveredAt }, now());
    } else if (trace.end.kind === "answered") {
      const { text, at } = trace.end;
      const answeredAt = at ?? now();
      store.move(
        letter.id,
        { state: "answered", reason: undefined, deliveredAt, answeredAt, answer: text, closed: true },
        now(),
      );
    } else {
      // Not over yet: a harness may take a broken turn up again when it comes back.
      store.move(letter.id, { state: "acted", reason: trace.end.why, deliveredAt }, now());
      const isBack = door.revived !== undefined && door.revived !== letter.handedTo;
      if (trace.end.cut && isBack && again === undefined) takeUp(store, letter, now());
    }
  }
}
