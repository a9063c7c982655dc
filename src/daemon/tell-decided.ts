import { existsSync } from "node:fs";

import { closeDecided } from "../chat/approvals.ts";
import { openLedger } from "../chat/ledger.ts";
import { openOutbox } from "../chat/outbox.ts";
import { decidedText } from "../chat/words.ts";
import type { Approval, Decision } from "../contract/command.ts";
import type { World } from "../fleet/world.ts";

/** No account of the roster's can be named so. */
const account = "this machine";

/**
 * Tells every chat that was asked what the person at this machine has decided, and notes who it was. The agent has
 * its answer already, so a chat that cannot be told is a line of the log.
 */
export async function tellDecided(world: World, approval: Approval, decision: Decision): Promise<void> {
  const { home, user, now } = world;
  if (!existsSync(home.chat)) return; // there was never a chat
  const { agent, id, what } = approval;
  try {
    const ledger = openLedger(home.chat);
    try {
      const outbox = openOutbox(ledger, () => what.length);
      const word = `${decidedText(decision)} by ${user} at ${account}.`;
      ledger.database.atOnce(() => {
        closeDecided({ ledger, outbox, now }, { agent, permission: id ?? "", what }, word);
        // A provider may repeat an id, and each decision is one of its own.
        const entry = { at: now(), account, chat: "", speaker: user, message: `${agent}/${id} ${now()}` };
        ledger.audit({ ...entry, decision: word, note: `${agent} ${what}`.slice(0, 200) });
      });
    } finally {
      ledger.database.close();
    }
  } catch (error) {
    world.log({ event: "chat-fault", note: error instanceof Error ? error.message : String(error) });
  }
}
