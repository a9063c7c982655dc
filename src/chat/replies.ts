import type { Mark } from "../connector/connector.ts";
import { atOnceOrWithin, type Heard } from "./ledger.ts";
import type { Parts } from "./parts.ts";

/** What is said about one thing that was heard: where it was said, in answer to it, and marked on it, as far as there is a message of it. Every key is said once. */
export interface Replies {
  /** The key of what is said about it under that word, once. */
  key(what: string): string;
  say(key: string, text: string): void;
  file(key: string, file: { path: string; name: string; text: string }): void;
  /** Changes what was said under the key `of`. */
  edit(key: string, of: string, text: string): void;
  mark(mark: Mark): void;
  typing(step: number): void;
}

export function repliesTo({ outbox, now }: Pick<Parts, "outbox" | "now">, row: Heard): Replies {
  const { account, chat, thread, id, kind, seq } = row;
  const to = { chat, thread };
  const message = kind === "word" ? undefined : id;
  return {
    key: (what) => `${what} ${account} ${chat} ${seq}`,
    say: (key, text) => outbox.sayLong(account, to, key, { text, replyTo: message }, now()),
    file: (key, file) => void outbox.say(account, to, key, { kind: "file", ...file, replyTo: message }, now()),
    edit: (key, of, text) => void outbox.say(account, to, key, { kind: "edit", of, text }, now()),
    mark(mark) {
      if (message === undefined) return;
      outbox.say(account, to, `${mark} ${account} ${chat} ${id}`, { kind: "mark", message, mark }, now());
    },
    typing: (step) =>
      void outbox.say(account, to, `typing ${account} ${chat} ${id} ${step}`, { kind: "typing" }, now()),
  };
}

/** At once, whatever the agent does: who wrote sees that it was heard. */
export function acknowledge(parts: Parts, row: Heard): void {
  if (row.kind !== "message" && row.kind !== "word") return;
  const replies = repliesTo(parts, row);
  atOnceOrWithin(parts.ledger.database, () => {
    replies.mark("heard");
    replies.typing(0);
  });
}

/** The last word about it. */
export function close(parts: Parts, row: Heard, text: string): void {
  parts.ledger.database.atOnce(() => {
    reply(parts, row, text);
    repliesTo(parts, row).mark("done");
    parts.ledger.mark(row.seq, "done");
  });
}

export function reply(parts: Parts, row: Heard, text: string): void {
  const replies = repliesTo(parts, row);
  replies.say(replies.key("reply"), text);
}

/** What was decided about it, for whoever asks later. */
export function audit({ ledger, now }: Parts, row: Heard, decision: string, note: string): void {
  const { account, chat, speaker, id, kind, seq } = row;
  // What one message was changed into is a decision of its own.
  const message = kind === "message" || kind === "word" ? id : `${id} ${seq}`;
  ledger.audit({ at: now(), account, chat, speaker, message, decision, note });
}
