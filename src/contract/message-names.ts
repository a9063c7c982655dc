/**
 * How far a message got. `queued`: kept, on its way. `held`: kept back on purpose, the reason says why. `delivered`: in the
 * conversation, by the harness's own word; `typed`: into a terminal, which can say no more. `acted`: its turn has begun.
 * `answered`: its turn has ended with a text, or a reply named it.
 */
export const messageStates = [
  "queued",
  "held",
  "delivered",
  "typed",
  "acted",
  "answered",
  "failed",
  "expired",
] as const;
export type MessageState = (typeof messageStates)[number];

/** `next`: at the turn's end or the next tool boundary; `steer`: into the running turn; `now`: the running turn is ended first. */
export const sendModes = ["next", "steer", "now"] as const;
export type SendMode = (typeof sendModes)[number];

export const senderKinds = ["person", "owner", "agent", "chat", "system"] as const;
/**
 * Who wrote a message. A person at this machine is named by their login, an agent by its own name. `owner` is the person
 * whose fleet it is, writing by chat; `chat` anybody else who is let in there.
 */
export interface Sender {
  kind: (typeof senderKinds)[number];
  name: string;
}
