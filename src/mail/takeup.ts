import { accept } from "./accept.ts";
import type { Letter } from "./letter.ts";
import type { Store } from "./store.ts";

/** How often one message is taken up again: an agent that dies of it would die for ever. */
const mostTimes = 3;

const nextId = (id: string): string => `${id}-again`;
const timesOf = (id: string): number => (id.match(/-again/g) ?? []).length;

/**
 * A turn that was cut off by its process's death gives no answer by itself: the harness comes back with the conversation,
 * and waits. So it is told to take the message up again, and what it answers then is the answer to the message.
 */
export function takeUp(store: Store, letter: Letter, now: number): void {
  if (timesOf(letter.id) >= mostTimes) return;
  accept(
    store,
    {
      id: nextId(letter.id), // after a crash in between the same one
      to: letter.to,
      from: { kind: "system", name: "mosaic" },
      mode: "next",
      body: `Your process ended before you had answered message ${rootOf(letter.id)}. Take that up where it was cut off: look what is done already, do nothing twice, and end with your answer to it.`,
    },
    now,
  );
}

/** The order to take it up, where there is one. */
export function takenUp(store: Store, { id }: Pick<Letter, "id">): Letter | undefined {
  const found = store.find(nextId(id));
  return found?.id === nextId(id) ? found : undefined;
}

const rootOf = (id: string): string => id.replace(/(-again)+$/, "");
