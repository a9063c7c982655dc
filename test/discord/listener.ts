import { appendFileSync, readFileSync } from "node:fs";

import { intakeFor } from "../../src/chat/intake.ts";
import { openLedger } from "../../src/chat/ledger.ts";
import { openDiscord } from "../../src/connector/discord/discord.ts";
import type { Wiring } from "../../src/contract/connector.ts";
import { quick } from "./pace.ts";

// One process that listens and speaks, to be killed at any moment: the connector on the chat's own database, and the
// plainest core there can be. What is handed on is marked so; what was sent is noted in a file.
const { database, sent, token, wiring } = JSON.parse(process.argv[2] ?? "") as {
  database: string;
  sent: string;
  token: string;
  wiring: Wiring;
};
const connector = openDiscord(wiring, token, quick);
const ledger = openLedger(database);
const never = new AbortController().signal;

const handOn = () => {
  for (const chat of ledger.freshChats(wiring.account)) {
    if (intake.isHeld(chat)) continue;
    for (let row = ledger.next(wiring.account, chat); row !== undefined; row = ledger.next(wiring.account, chat))
      ledger.mark(row.seq, "done");
  }
};
const intake = intakeFor(wiring.account, {
  ledger,
  wiring: () => wiring,
  now: Date.now,
  ring: () => setImmediate(handOn),
  onStranger: () => {},
  onUser: () => false,
  onEcho: () => {},
});
const listening = connector.run({ intake, words: [], signal: never, tell: () => {}, log: () => {} });

const said = new Set(readFileSync(sent, "utf8").split("\n"));
for (let at = 0; at < 500; at++) {
  const key = `answer ${at}`;
  while (!said.has(key)) {
    const out = { kind: "text", key, chat: wiring.channels[0] ?? "", text: key } as const;
    const became = await connector.send(out, AbortSignal.timeout(2_000));
    if (became.kind !== "sent") continue;
    appendFileSync(sent, `${key}\n`);
    said.add(key);
  }
}
await listening;
