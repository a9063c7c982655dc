import { FleetError } from "../lib/errors.ts";
import type { Draft, Letter } from "./letter.ts";
import type { Store } from "./store.ts";

/** More than any model reads at once, and what the way into a harness takes as one line. */
const longestBody = 1024 * 1024;

/** What keeps agents from talking to each other for ever. */
export interface Bounds {
  /** How many messages of agents may follow from one another without a person's. */
  hops: number;
  /** How many messages one agent may send another within the window. */
  pair: number;
  windowMs: number;
}
const usualBounds: Bounds = { hops: 32, pair: 60, windowMs: 600_000 };

/**
 * Keeps a message for good, or refuses it with a reason. Given the same id or key twice it is the same message, which
 * may not say something else the second time.
 */
export function accept(store: Store, draft: Draft, now: number, bounds: Bounds = usualBounds): Letter {
  const bytes = Buffer.byteLength(draft.body);
  if (draft.body.trim() === "") {
    throw new FleetError("usage", "The message is empty.", { hint: `mosaic fleet send ${draft.to} "…"` });
  }
  if (bytes > longestBody) {
    throw new FleetError("usage", `The message has ${bytes} bytes; ${longestBody} is the most.`, {
      hint: `put it into a file, and send where it is: mosaic fleet send ${draft.to} "read …"`,
    });
  }
  const answered = draft.replyTo === undefined ? undefined : replied(store, draft.replyTo, draft);
  const hops = hopsOf(store, draft, answered);
  const { letter, fresh } = store.accept(
    { ...draft, id: draft.id ?? crypto.randomUUID(), replyTo: answered?.id, hops },
    now,
    // What is kept already stays so, and may be given again by whoever has not heard of it.
    () => void (draft.from.kind === "agent" && keepWithin(store, draft, hops, now, bounds)),
  );
  if (!fresh && (letter.body !== draft.body || letter.to !== draft.to)) {
    throw new FleetError("conflict", `Another message has that id already: ${letter.id}, to ${letter.to}.`, {
      hint: `mosaic fleet inbox show ${letter.id}`,
    });
  }
  // Also the second time: a kill may have come between the two.
  if (answered !== undefined && letter.replyTo === answered.id) {
    store.move(
      answered.id,
      { state: "answered", reason: undefined, answer: draft.body, answeredAt: now, closed: true },
      now,
    );
  }
  return letter;
}

/** The message that a reply names: it must have been to whoever replies. */
function replied(store: Store, id: string, { from }: Draft): Letter {
  const found = store.find(id);
  if (found === undefined || (from.kind === "agent" && found.to !== from.name)) {
    throw new FleetError("not-found", `There is no message ${id} to answer.`, { hint: "mosaic fleet inbox" });
  }
  return found;
}

/** A person's message begins anew; an agent's follows from the newest that it works on. */
function hopsOf(store: Store, { from }: Draft, answered: Letter | undefined): number {
  if (from.kind !== "agent") return 0;
  const cause = answered ?? store.open(from.name).findLast((letter) => letter.deliveredAt !== undefined);
  return (cause?.hops ?? 0) + 1;
}

function keepWithin(store: Store, { from, to }: Draft, hops: number, now: number, bounds: Bounds): void {
  const refuse = (why: string) => {
    throw new FleetError("conflict", `${from.name} may not write to ${to} now: ${why}.`, {
      hint: "report to the person whose fleet this is, and wait for word",
    });
  };
  if (hops > bounds.hops) refuse(`${bounds.hops} messages of agents followed from one another`);
  if (store.sentBetween(from.name, to, now - bounds.windowMs) >= bounds.pair) {
    refuse(`it sent ${bounds.pair} messages there within ${bounds.windowMs / 60_000} minutes`);
  }
}
