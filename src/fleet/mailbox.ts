import type { MessageState } from "../contract/message-names.ts";
import type { Message } from "../contract/message.ts";
import { FleetError } from "../lib/errors.ts";
import { asMessage, type Letter } from "../mail/letter.ts";
import { openStore, type Store } from "../mail/store.ts";
import type { World } from "./world.ts";

/** Does something with the fleet's messages. */
export async function withMail<T>(world: World, work: (store: Store) => Promise<T> | T): Promise<T> {
  const store = openStore(world.home.messages);
  try {
    return await work(store);
  } finally {
    store.close();
  }
}

/** The newest messages, oldest first. */
export const listMessages = (
  world: World,
  filter: { to?: string | undefined; states?: readonly MessageState[] | undefined; last: number },
): Promise<Message[]> => withMail(world, (store) => store.list(filter).map((letter) => asMessage(letter)));

/** One message, and what became of it when. */
export const showMessage = (
  world: World,
  id: string,
): Promise<{ message: Message; history: { at: string; state: string; note: string | null }[] }> =>
  withMail(world, (store) => {
    const letter = letterNamed(store, id);
    const history = store
      .history(letter.id)
      .map(({ at, state, note }) => ({ at: new Date(at).toISOString(), state, note: note ?? null }));
    return { message: asMessage(letter), history };
  });

/** The message of that id, or of the only one that begins so. */
export function letterNamed(store: Store, id: string): Letter {
  const letter = store.find(id);
  if (letter !== undefined) return letter;
  throw new FleetError("not-found", `No message has the id ${id}, or more than one begins so.`, {
    hint: "mosaic fleet inbox",
  });
}
