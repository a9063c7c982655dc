import type { Inbound, Intake, Verdict } from "../connector/connector.ts";
import type { Wiring } from "../contract/connector.ts";
import { judgeAccess, type Refusal } from "./access.ts";
import type { Heard, Ledger } from "./ledger.ts";

/** Which refusals are worth a line: not our own echo, not what people say to each other. */
const audited: ReadonlySet<Refusal> = new Set<Refusal>(["stranger", "bot"]);

/** Longest text that is kept of one message; platforms allow less. */
const longest = 1024 * 1024;

/** What an account's connector hands its messages to, and what the router asks. */
export interface AccountIntake extends Intake {
  isHeld(chat: string): boolean;
}

export interface IntakeParts {
  ledger: Ledger;
  /** As the roster says now: somebody who was let out a second ago is a stranger. */
  wiring: () => Wiring;
  now: () => number;
  /** Called once what came in is durable. */
  ring: () => void;
  /** A stranger wrote, of whom nothing is kept but that; called within the transaction. */
  onStranger: (inbound: Inbound) => void;
  /** The account itself was seen to say something. */
  onEcho: (inbound: Inbound) => void;
  /** A user wrote; true where it was no message but the code that lets him be an owner. Called within the transaction. */
  onUser: (inbound: Inbound) => boolean;
}

/** Keeps what may be heard, in one transaction with the cursor. Of anybody else nothing is kept but that there was somebody. */
export function intakeFor(account: string, parts: IntakeParts): AccountIntake {
  const { ledger, now } = parts;
  const held = new Set([...parts.wiring().channels, ...ledger.chats(account).keys()]);

  function admitOne(inbound: Inbound): Verdict {
    const { chat, id, kind, speaker } = inbound;
    const before = kind === "edit" || kind === "delete" ? ledger.find(account, chat, id) : undefined;
    // What was never heard cannot be changed or taken back; and only by whoever said it.
    if (kind === "delete" || kind === "edit") {
      if (before === undefined) return "known";
      if (kind === "edit" && before.speaker !== speaker.id) return "refused";
    }
    const judged = judgeAccess(parts.wiring(), asSaid(inbound, before));
    if ("refused" in judged) {
      const { refused } = judged;
      if (refused === "self") parts.onEcho(inbound);
      if (!audited.has(refused)) return "refused";
      const entry = {
        at: now(),
        account,
        chat,
        speaker: speaker.id,
        message: saidOnce(inbound),
        decision: `refused ${refused}`,
      };
      if (ledger.audit(entry) && refused === "stranger") parts.onStranger(inbound);
      return "refused";
    }
    if (kind === "message" && judged.standing === "user" && parts.onUser(inbound)) return "known";
    const kept = { ...asSaid(inbound, before), text: inbound.text.slice(0, longest) };
    return ledger.add(account, kept, judged.standing, now()) ? "new" : "known";
  }

  return {
    admit(batch, cursor) {
      const verdicts = ledger.database.atOnce(() => {
        if (cursor !== undefined) ledger.setCursor(account, cursor.key, cursor.value);
        return batch.map(admitOne);
      });
      // Of a stranger too there may be something to say, though not to him.
      if (verdicts.some((verdict) => verdict !== "known")) parts.ring();
      return verdicts;
    },
    cursor: (key) => ledger.cursor(account, key),
    hold: (chat) => void held.add(chat),
    release(chat) {
      held.delete(chat);
      parts.ring();
    },
    known: () => ledger.chats(account),
    isHeld: (chat) => held.has(chat),
  };
}

/** What tells one thing that was said from every other: a button that two people press is one message. */
export const saidOnce = ({ id, revision }: Inbound): string => (revision === undefined ? id : `${id} ${revision}`);

/** Platforms do not say who deleted, nor whether a changed message was to us: as the first one was. */
function asSaid(inbound: Inbound, before: Heard | undefined): Inbound {
  if (before === undefined) return inbound;
  const { speaker, speakerName, isDirect, isToUs, thread } = before;
  return {
    ...inbound,
    thread,
    isDirect,
    isToUs,
    speaker: { id: speaker, name: speakerName, isBot: false, isSelf: false },
  };
}
