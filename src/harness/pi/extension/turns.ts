import { endBy, endIn, textOf } from "../ends.ts";
import type { Journal } from "./journal.ts";
import type { PiContext, PiMessage } from "./pi-api.ts";

/** Knows which messages are in the running turn, and notes in the journal how it ended for them. */
export interface Turns {
  entered(id: string): void;
  /** Pi says that it answered, or that it could not. */
  said(message: PiMessage): void;
  /** Pi says that it has settled: it will not try again, and nothing more comes. */
  settled(): void;
  /** After a start: says of what an earlier Pi had in hand how far that got, by Pi's own conversation. */
  repair(context: PiContext): void;
}

export function openTurns(journal: Journal): Turns {
  const inHand = new Map<string, { acted: boolean }>();
  let last: PiMessage | undefined;
  let text = "";
  return {
    entered(id) {
      inHand.set(id, { acted: false });
    },
    said(message) {
      last = message;
      text = textOf(message) || text;
      if (message.stopReason === "error" || message.stopReason === "aborted") return;
      for (const [id, one] of inHand) {
        if (one.acted) continue;
        one.acted = true;
        journal.note({ at: Date.now(), kind: "acted", id });
      }
    },
    settled() {
      // Interrupted before the model had said anything, Pi has no last word.
      const end = last === undefined ? ({ kind: "broken", why: "interrupted" } as const) : endBy(last, text);
      for (const id of inHand.keys()) journal.note({ ...end, at: Date.now(), id });
      inHand.clear();
      [last, text] = [undefined, ""];
    },
    repair(context) {
      const messages = context.sessionManager.getBranch().flatMap((entry) => (entry.message ? [entry.message] : []));
      for (const { id, ...at } of journal.unended()) {
        const end = endIn(messages, at) ?? { kind: "broken", why: "it is no longer in Pi's conversation" };
        journal.note({ at: Date.now(), ...end, id });
      }
    },
  };
}
