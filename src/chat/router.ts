import { systemCode } from "../lib/errors.ts";
import { pause } from "../lib/wait.ts";
import { standingOf } from "./access.ts";
import { approvalsText, decide } from "./approvals.ts";
import { askerOf, carryOut } from "./commands.ts";
import { handOn, withdrawn } from "./hand-on.ts";
import type { AccountIntake } from "./intake.ts";
import type { Heard } from "./ledger.ts";
import { isFleetOrder, isLook, parseOrder, type Order } from "./orders.ts";
import type { Account, Parts } from "./parts.ts";
import { acknowledge, audit, close, reply } from "./replies.ts";
import { errorText, spanText } from "./words.ts";

/** Older than this, what was not said to us in so many words is not acted upon by itself. */
const staleMs = 15 * 60_000;

/** How long a chat rests of which something could not be kept: a full disk, a locked database. */
const restMs = 2_000;

/** What hands on whatever was heard: each chat in its own order, and a slow one keeps no other. */
export interface Routing {
  /** Says that everything was heard, and begins with every chat that is not held and not busy. */
  begin(): void;
  /** When nothing is on its way any more. */
  idle(): Promise<unknown>;
}

export function routing(
  parts: Parts,
  account: Account,
  intake: AccountIntake,
  { signal, ring }: { signal: AbortSignal; ring: () => void },
): Routing {
  const { ledger } = parts;
  const busy = new Map<string, Promise<void>>();
  let acknowledged = 0;

  /** One chat until nothing of it waits. What cannot be kept just now is tried again, and nothing overtakes it. */
  async function handOnAll(chat: string): Promise<void> {
    while (!signal.aborted && !intake.isHeld(chat)) {
      let row: Heard | undefined;
      try {
        row = ledger.next(account.name, chat);
        if (row === undefined) return;
        await route(parts, account, row);
        // Thousands that wait must not keep the daemon from everything else it does.
        await new Promise((resolve) => setImmediate(resolve));
      } catch (error) {
        parts.log("chat-fault", error instanceof Error ? error.message : String(error));
        if (row === undefined || isPassing(error) || !giveUp(parts, row, error)) await pause(restMs, signal);
      }
    }
  }

  return {
    begin() {
      const fresh = ledger.since(account.name, acknowledged);
      if (fresh.length > 0)
        ledger.database.atOnce(() => {
          for (const row of fresh) if (!isAside(row)) acknowledge(parts, row);
        });
      acknowledged = fresh.at(-1)?.seq ?? acknowledged;
      for (const chat of ledger.freshChats(account.name)) {
        if (busy.has(chat) || intake.isHeld(chat)) continue;
        const done = handOnAll(chat).finally(() => {
          busy.delete(chat);
          ring();
        });
        busy.set(chat, done);
      }
    },
    idle: () => Promise.all(busy.values()),
  };
}

/** Whoever said what cannot be done reads why. False where not even that can be kept. */
function giveUp(parts: Parts, row: Heard, error: unknown): boolean {
  try {
    parts.ledger.database.atOnce(() => {
      reply(parts, row, errorText(error, row.standing));
      parts.ledger.mark(row.seq, "done");
    });
    return true;
  } catch {
    return false;
  }
}

/** A fault of the machine that will pass, or that a person mends: what somebody said is not lost by it. */
export function isPassing(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  const code = systemCode(error) ?? "";
  if (["ENOSPC", "EDQUOT", "EROFS", "EIO", "EMFILE", "ENFILE"].includes(code)) return true;
  return ("errcode" in error && typeof error.errcode === "number") || isPassing(error.cause);
}

async function route(parts: Parts, account: Account, heard: Heard): Promise<void> {
  const { ledger } = parts;
  // Judged anew, by the roster itself: its sender may have been let out, and not every change of a file is told.
  await parts.reread();
  const standing = standingOf(account.wiring(), heard.speaker);
  if (standing === undefined) {
    audit(parts, heard, "refused let out", "");
    return ledger.mark(heard.seq, "done");
  }
  const row = { ...heard, standing };
  if (row.kind === "delete") {
    withdrawn(parts, row);
    return ledger.mark(row.seq, "done");
  }
  if (row.kind === "press") return decide(parts, row, row.choice ?? "");
  const order = parseOrder(row.text);
  if (row.state === "begun") {
    reply(parts, row, "mosaic was restarted in the middle of this; whether it was carried out is not known. See /ps.");
    return ledger.mark(row.seq, "done");
  }
  if (order === undefined)
    return isAside(row) ? putAside(parts, row) : handOn(parts, account, row, account.agent, row.text);
  // A message that was changed into a command is no message any more.
  if (row.kind === "edit") withdrawn(parts, row);
  if ("unknown" in order) return close(parts, row, order.unknown);
  if (isStale(row) && !isLook(order)) {
    const late = spanText(row.heardAt - row.saidAt);
    return close(parts, row, `This came ${late} late and was not carried out. Send it again if you still mean it.`);
  }
  return obey(parts, account, row, order);
}

const isStale = ({ heardAt, saidAt }: Heard): boolean => heardAt - saidAt > staleMs;

/** What people said long ago, and not to us in so many words. */
const isAside = (row: Heard): boolean =>
  isStale(row) && !row.isDirect && !row.isToUs && parseOrder(row.text) === undefined;

async function obey(parts: Parts, account: Account, row: Heard, order: Order): Promise<void> {
  const { ledger, fleet } = parts;
  const { word, rest } = order;
  if (word === "approvals") {
    const said = await approvalsText(parts, row).catch((error: unknown) => errorText(error, row.standing));
    audit(parts, row, "command approvals", "");
    return close(parts, row, said);
  }
  if ((word === "approve" || word === "deny") && rest === "") return close(parts, row, `Which one? /${word} CODE`);
  if (word === "approve" || word === "deny") return decide(parts, row, rest, word === "approve" ? "allow" : "deny");
  if (word === "answer") {
    const [, code = "", text = ""] = /^(\S+)\s+([\s\S]+)$/.exec(rest) ?? [];
    return text === ""
      ? close(parts, row, "Which question, and what? /answer CODE 1")
      : decide(parts, row, code, { text });
  }
  if (word === "ask") {
    const [, agent, text] = /^(\S+)\s+([\s\S]+)$/.exec(rest) ?? [];
    if (agent === undefined || text === undefined) return close(parts, row, "Whom, and what? /ask AGENT text");
    const there = (await fleet.agents()).map((one) => one.name);
    if (!there.includes(agent)) return close(parts, row, `There is no agent ${agent}. There are ${there.join(", ")}.`);
    return handOn(parts, account, row, agent, text);
  }
  if (!isFleetOrder(order)) {
    const old = ledger.stale(row.account, row.chat);
    for (const one of old) {
      if (word === "drop") ledger.mark(one.seq, "done");
      else await handOn(parts, account, one, account.agent, one.text);
    }
    const what = word === "drop" ? "forgotten" : "handed on";
    return close(parts, row, old.length === 0 ? "There is nothing put aside." : `${old.length} ${what}.`);
  }
  // A kill in the middle of a change leaves open whether it was made; that is said, and it is not made twice.
  if (!isLook(order)) ledger.mark(row.seq, "begun");
  const said = await carryOut(fleet, askerOf(row), order, account.agent).catch((error: unknown) =>
    errorText(error, row.standing),
  );
  audit(parts, row, `command ${word}`, rest.slice(0, 200));
  return close(parts, row, said);
}

function putAside(parts: Parts, row: Heard): void {
  const { ledger } = parts;
  const first = ledger.stale(row.account, row.chat).length === 0;
  ledger.mark(row.seq, "stale");
  audit(parts, row, "put aside", spanText(row.heardAt - row.saidAt));
  if (first)
    reply(
      parts,
      row,
      "This was written while mosaic was away, and nothing was done about it. /catchup hands on all of that, /drop forgets it.",
    );
}
