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
  return {
    saw({ id, at, kind }) {
      if (kind !== "message" || now() - at > recentMs || seen.size >= most) return;
      seen.set(id, now());
    },
    isAnother() {
      // A try whose outcome is not known may have been it.
      if (seen.size === 0 || outbox.isUnsure(account, now() - recentMs)) return false;
      for (const [id, at] of seen) {
        if (now() - at < settlesMs) continue;
        seen.delete(id);
        if (!outbox.wasSaid(account, id)) return true;
      }
      return false;
    },
  };
}
