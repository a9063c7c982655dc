import { openLedger } from "../chat/ledger.ts";
import { openOutbox } from "../chat/outbox.ts";
import { ownersChat } from "../chat/owner.ts";
import type { Wiring } from "../contract/connector.ts";
import type { World } from "../fleet/world.ts";
import { consoleWiring } from "./talk.ts";

/** Puts a word of mosaic's own into every chat that has an owner; kept for good when it returns, and once for each key. */
export function tellOwners({ home, now }: World, connectors: readonly Wiring[], key: string, text: string): void {
  const ledger = openLedger(home.chat);
  try {
    const outbox = openOutbox(ledger, () => text.length);
    ledger.database.atOnce(() => {
      for (const wiring of [consoleWiring, ...connectors]) {
        const chat = ownersChat({ ledger }, wiring);
        if (chat === undefined) continue;
        outbox.say(wiring.account, { chat }, `${key} ${wiring.account}`, { kind: "text", text }, now());
      }
    });
  } finally {
    ledger.database.close();
  }
}
