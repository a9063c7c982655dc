import type { Inbound } from "../connector/connector.ts";
import type { Wiring } from "../contract/connector.ts";
import { saidOnce } from "./intake.ts";
import type { Parts } from "./parts.ts";

const dayMs = 86_400_000;
/** Of how many strangers a day the owner is told. */
const mostStrangers = 5;

type TellParts = Pick<Parts, "ledger" | "outbox" | "now" | "log"> & { wiring: () => Wiring };

/** Where the owner is asked and told: the first channel of the account, else the direct chat with an owner. */
export function ownersChat(
  { ledger }: Pick<Parts, "ledger">,
  { account, channels, owners }: Wiring,
): string | undefined {
  if (owners.length === 0) return undefined; // nobody there could answer
  return channels[0] ?? owners.map((owner) => ledger.directChat(account, owner)).find((chat) => chat !== undefined);
}

/** That there was somebody, and nothing of what they said. */
export function tellOfStranger(parts: TellParts, inbound: Inbound): void {
  const { ledger, now, wiring } = parts;
  const { speaker, chat } = inbound;
  const { account } = wiring();
  const since = now() - dayMs;
  if (ledger.audited(account, speaker.id, "told of stranger", since) > 0) return;
  if (ledger.audited(account, "", "told of stranger", since) >= mostStrangers) return;
  const entry = { at: now(), account, chat, speaker: speaker.id, message: saidOnce(inbound) };
  ledger.audit({ ...entry, decision: "told of stranger" });
  const who = `${speaker.name.replaceAll(/[^\p{L}\p{N} _.-]/gu, "").slice(0, 40)} (id ${speaker.id.replaceAll(/[^\w:.@-]/g, "").slice(0, 80)})`;
  parts.log("chat-stranger", `${account}: ${who}`);
  const letIn = `To let them in: mosaic fleet connect pair ${account}`;
  tell(
    parts,
    `stranger ${account} ${speaker.id}`,
    `Somebody who is not let in wrote on ${account}: ${who}. They got no answer. ${letIn}`,
  );
}

/** Once a day: two that listen to one account both answer, and neither can keep the other from it. */
export function tellOfAnother(parts: TellParts): void {
  const { ledger, now, wiring } = parts;
  const { account } = wiring();
  if (ledger.audited(account, "", "told of another", now() - dayMs) > 0) return;
  const entry = { at: now(), account, chat: "", speaker: "", message: String(now()) };
  ledger.audit({ ...entry, decision: "told of another" });
  parts.log("chat-another", `${account}: another program speaks with this account`);
  const mend = `Stop one of them: mosaic fleet connect remove ${account}`;
  tell(
    parts,
    `another ${account}`,
    `Another program speaks with the account ${account}, perhaps a fleet on another machine; then both hear and answer you. ${mend}`,
  );
}

function tell(parts: TellParts, key: string, text: string): void {
  const { outbox, now, wiring } = parts;
  const chat = ownersChat(parts, wiring());
  if (chat !== undefined) outbox.say(wiring().account, { chat }, `${key} ${now()}`, { kind: "text", text }, now());
}
