import type { Inbound } from "../connector/connector.ts";
import type { Outbox } from "./outbox.ts";

/** How old something may be that is looked at: what was said long ago may be forgotten here. */
const recentMs = 120_000;
/** How long until we must know whether it was us: the platform's own answer may be behind its echo. */
const settlesMs = 30_000;
/** How much is looked at: one word of somebody else's in our name is enough. */
const most = 1_000;

/** What an account is seen to say, and whether that was us. */
export interface Echoes {
  saw(inbound: Inbound): void;
  /** Whether another program speaks with the account, as far as is known by now. */
  isAnother(): boolean;
}

/** An account has one listener on a machine; one on another machine can only be told by what it says. */
export function echoesOf(account: string, outbox: Outbox, now: () => number): Echoes {
  const seen = new Map<string, number>();
  let lookedAt = -Infinity;
  return {
    saw({ id, at, kind }) {
      if (kind !== "message" || now() - at > recentMs || seen.size >= most) return;
      seen.set(id, now());
    },
    isAnother() {
      const at = now();
      // What was said is looked up for all of it at once, since that reads much; and a clock may be set back.
      if (seen.size === 0 || (lookedAt <= at && at - lookedAt < settlesMs)) return false;
      // A try whose outcome is not known may have been it.
      if (outbox.isUnsure(account, at - recentMs)) return false;
      const due = [...seen].filter(([, seenAt]) => at - seenAt >= settlesMs);
      if (due.length === 0) return false;
      lookedAt = at;
      const said = outbox.saidSince(account, Math.min(...due.map(([, seenAt]) => seenAt)) - recentMs);
      for (const [id] of due) seen.delete(id);
      return due.some(([id]) => !said.has(id));
    },
  };
}
