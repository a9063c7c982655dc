import type { MessageState, Sender, SendMode } from "../contract/message-names.ts";
import type { Message } from "../contract/message.ts";

/** A message as the table keeps it. Times are ms since 1970. */
export interface Letter {
  seq: number;
  id: string;
  /** What makes a second acceptance of the same message the same message. */
  key: string | undefined;
  to: string;
  from: Sender;
  mode: SendMode;
  body: string;
  state: MessageState;
  reason: string | undefined;
  replyTo: string | undefined;
  /** How many messages of agents led to this one. */
  hops: number;
  createdAt: number;
  changedAt: number;
  expiresAt: number | undefined;
  attempts: number;
  /** Which process of the agent has it in its queue; `?` where it was tried and its receipt was never heard. */
  handedTo: string | undefined;
  deliveredAt: number | undefined;
  answeredAt: number | undefined;
  answer: string | undefined;
  /** When an answer is due, where one is owed, and how often that was pointed out. */
  dueAt: number | undefined;
  nudges: number;
  /** A person wants it tried whatever it is held for. */
  forced: boolean;
  /** Nothing more is to be heard of it. */
  closed: boolean;
}

/** What a sender gives. */
export interface Draft {
  id?: string | undefined;
  key?: string | undefined;
  to: string;
  from: Sender;
  mode: SendMode;
  body: string;
  replyTo?: string | undefined;
  expiresAt?: number | undefined;
  /** How long the answer may take once it is delivered; undefined where none is owed. */
  answerWithinMs?: number | undefined;
}

const iso = (at: number | undefined): string | null => (at === undefined ? null : new Date(at).toISOString());

/** A message as the contract shows it. */
export function asMessage(letter: Letter): Message {
  return {
    id: letter.id,
    to: letter.to,
    from: letter.from,
    mode: letter.mode,
    text: letter.body,
    state: letter.state,
    reason: letter.reason ?? null,
    at: new Date(letter.createdAt).toISOString(),
    changed_at: new Date(letter.changedAt).toISOString(),
    delivered_at: iso(letter.deliveredAt),
    answered_at: iso(letter.answeredAt),
    answer: letter.answer ?? null,
    reply_to: letter.replyTo ?? null,
    expires_at: iso(letter.expiresAt),
    attempts: letter.attempts,
  };
}
