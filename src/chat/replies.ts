import type { Mark } from "../connector/connector.ts";
import type { Heard } from "./ledger.ts";
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
