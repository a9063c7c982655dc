import { appendFileSync } from "node:fs";

import { fingerprint } from "./ask.ts";
import type { Ask, Wire } from "./ask.ts";
import type { ReplyKind } from "./reply.ts";

/** How a request ended: said in full, left by its client, or cut off because the server closed. */
export type Outcome = "sent" | "aborted" | "closed";

/** One request of a conversation; entered when it arrives, so a hanging one is there to be seen. */
export interface LoggedAsk {
  readonly at: string;
  readonly ask: Ask;
  /** Of the last user text. */
  readonly len: number;
  readonly sha256: string;
  readonly reply: ReplyKind;
  readonly outcome: "open" | Outcome;
}

/** What a line of the log file tells besides the ask. */
type LineKind = ReplyKind | "side" | "count_tokens" | "models" | "unauthorized" | "unreadable" | "fault";

export interface Ledger {
  asks(): readonly LoggedAsk[];
  /** Enters an ask; the answer ends it, once. */
  begin(ask: Ask, reply: ReplyKind): (outcome: Outcome) => LoggedAsk;
  /** Writes the line of one finished request. */
  line(kind: LineKind, about?: { ask?: Ask | undefined; wire?: Wire | undefined; outcome?: Outcome }): void;
}

export function openLedger(file: string | undefined): Ledger {
  const asks: { -readonly [Key in keyof LoggedAsk]: LoggedAsk[Key] }[] = [];
  const line: Ledger["line"] = (kind, { ask, wire = ask?.wire, outcome = "sent" } = {}) => {
    if (file === undefined) return;
    const known = ask && {
      model: ask.model,
      tools: ask.tools,
      ...fingerprint(ask.lastUser),
      answered: ask.answered,
    };
    const at = new Date().toISOString();
    const entry = { at, wire, ...known, reply: kind, outcome, aborted: outcome === "aborted" };
    appendFileSync(file, `${JSON.stringify(entry)}\n`);
  };
  return {
    asks: () => asks,
    line,
    begin(ask, reply) {
      const entry = {
        at: new Date().toISOString(),
        ask,
        ...fingerprint(ask.lastUser),
        reply,
        outcome: "open" as const,
      };
      const logged: (typeof asks)[number] = entry;
      asks.push(logged);
      return (outcome) => {
        logged.outcome = outcome;
        line(reply, { ask, outcome });
        return logged;
      };
    },
  };
}
