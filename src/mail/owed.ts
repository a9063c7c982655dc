import { accept } from "./accept.ts";
import type { Letter } from "./letter.ts";
import type { Store } from "./store.ts";

/** How long each reminder waits for its effect. */
const patienceMs = 10 * 60_000;

/** Who is told of an answer that is owed and late: the agent itself, then the orchestrator, then the person. */
export interface Reminders {
  orchestrator: string | undefined;
  /** Tells the person whose fleet this is. */
  tellOwner: (letter: Letter, why: string) => void;
}

/** Reminds of every answer that is late, each of them once at each step, and then leaves it. */
export function remind(store: Store, now: number, { orchestrator, tellOwner }: Reminders): void {
  for (const letter of store.late(now)) {
    const { id, to, from, nudges, deliveredAt = now, dueAt = now } = letter;
    const minutes = (until: number) => Math.round((until - deliveredAt) / 60_000);
    // By when it was due, not by now: the same reminder after a kill must have the same words.
    const late = `for more than ${minutes(dueAt)} minutes`;
    const system = (recipient: string, body: string) =>
      // The same reminder twice, after a crash between the two lines here, is one message.
      void accept(
        store,
        { key: `remind ${id} ${nudges}`, to: recipient, from: { kind: "system", name: "mosaic" }, mode: "next", body },
        now,
      );
    if (nudges === 0) {
      system(to, `You have not answered message ${id} from ${from.name} ${late}. Finish it, or say what keeps you.`);
    } else if (nudges === 1 && orchestrator !== undefined && orchestrator !== to && orchestrator !== from.name) {
      system(orchestrator, `${to} has not answered message ${id} from ${from.name} ${late}, and was reminded once.`);
    } else {
      tellOwner(letter, `${to} has not answered ${from.name} for ${minutes(now)} minutes`);
      store.nudged(id, undefined);
      continue;
    }
    store.nudged(id, now + patienceMs);
  }
}
