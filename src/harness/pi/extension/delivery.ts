import { textOf } from "../ends.ts";
import type { Reply } from "../wire.ts";
import type { Journal } from "./journal.ts";
import type { PiApi, PiContext, PiMessage } from "./pi-api.ts";
import type { Turns } from "./turns.ts";

/** A message on its way, with whoever waits to hear of it. */
interface Handed {
  id: string;
  text: string;
  mode: "next" | "steer";
  tell: ((reply: Reply) => void) | undefined;
}

/** Brings accepted messages into Pi's conversation, one at a time and in order, and knows when each is there. */
export interface Delivery {
  take(message: Handed): void;
  /** Pi says that a user message entered the conversation: ours, or a person's. */
  entered(message: PiMessage): void;
  /** Pi says that it answered: what was delivered before is in its own file now. */
  answered(message: PiMessage): void;
  /** Pi says that it has settled. */
  settled(): void;
  /** After a start: what was accepted before a crash and is not in Pi's own file is taken again; what is, is done. */
  replay(context: PiContext): void;
}

export function openDelivery(pi: PiApi, journal: Journal, turns: Turns, now: () => PiContext | undefined): Delivery {
  /** Not yet handed to Pi, in the order of acceptance; and handed, not yet seen in the conversation. */
  const waiting: Handed[] = [];
  const pending: Handed[] = [];
  let starting = false;

  /**
   * Hands Pi one message when it is idle, the next one when that turn has settled. Pi's own queue is not used for these:
   * at an interruption Pi would empty it into the editor, and two messages at once are one too many for it.
   */
  function handNext(): void {
    if (starting || now()?.isIdle() !== true) return;
    const next = waiting.shift();
    if (next === undefined) return;
    starting = true;
    pending.push(next);
    pi.sendUserMessage(next.text);
  }

  function take(message: Handed): void {
    if (message.mode === "steer" && now()?.isIdle() === false) {
      pending.push(message);
      pi.sendUserMessage(message.text, { deliverAs: "steer" });
    } else {
      waiting.push(message);
      handNext();
    }
  }

  return {
    take,

    entered(message) {
      const text = textOf(message);
      const at = pending.findIndex((one) => one.text === text);
      const [found] = at < 0 ? [] : pending.splice(at, 1);
      if (found === undefined) return;
      starting = false;
      journal.note({ at: Date.now(), kind: "delivered", id: found.id, ...stampOf(message) });
      turns.entered(found.id);
      found.tell?.({ type: "delivered", id: found.id });
    },

    answered(message) {
      turns.said(message);
      for (const line of journal.open()) {
        if (journal.seen(line.id) === "delivered") journal.note({ at: Date.now(), kind: "saved", id: line.id });
      }
    },

    settled() {
      starting = false;
      turns.settled();
      const back = pending.splice(0);
      const editor = now()?.ui;
      if (back.length > 0 && editor !== undefined) {
        // An interruption made Pi empty its queue into the editor: ours goes back to wait, a person's draft stays.
        const draft = back.reduce((text, { text: ours }) => text.replace(ours, ""), editor.getEditorText());
        editor.setEditorText(draft.replace(/^\s+/, ""));
        waiting.unshift(...back);
      }
      setImmediate(handNext); // Pi is idle only once its own handlers have returned
    },

    replay(context) {
      const there = context.sessionManager
        .getBranch()
        .flatMap((entry) => (entry.message?.role === "user" ? [entry.message] : []));
      for (const line of journal.open()) {
        const found = there.findIndex(
          (message) => textOf(message) === line.text && (message.timestamp ?? line.at) >= line.at,
        );
        const [message] = found < 0 ? [] : there.splice(found, 1);
        if (message === undefined) {
          take({ ...line, tell: undefined });
          continue;
        }
        if (journal.seen(line.id) !== "delivered")
          journal.note({ at: Date.now(), kind: "delivered", id: line.id, ...stampOf(message) });
        journal.note({ at: Date.now(), kind: "saved", id: line.id });
      }
      turns.repair(context);
    },
  };
}

const stampOf = ({ timestamp }: PiMessage) => (timestamp === undefined ? {} : { stamp: timestamp });
