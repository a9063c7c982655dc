import { createHash } from "node:crypto";
import { join } from "node:path";

import { writeAtomic } from "../lib/atomic.ts";
import type { Letter } from "../mail/letter.ts";
import type { Heard } from "./ledger.ts";
import type { Account, Parts } from "./parts.ts";
import { openPrompts } from "./prompts.ts";
import { repliesTo } from "./replies.ts";
import { split } from "./split.ts";
import { spanText } from "./words.ts";

/** How long a message may wait before its sender is told what for, and how long a turn may run before they are told so. */
const waitingMs = 3_000;
const workingMs = 20_000;
/** How often "it works" is said anew, and how often "is typing". */
const progressMs = 30_000;
const typingEveryMs = 8_000;
/** More parts than this are a file. */
const mostParts = 5;

/** Looks at everything that was handed on; answers when to look again at the latest. */
export function follow(parts: Parts, account: Account): number {
  const open = parts.ledger.passed(account.name);
  const asking = new Set(
    open.length === 0
      ? []
      : openPrompts(parts.ledger)
          .open()
          .map(({ agent }) => agent),
  );
  for (const row of open) {
    try {
      followOne(parts, account, row, asking);
    } catch (error) {
      // What cannot be kept now is looked at again; nobody behind it waits for that.
      parts.log("chat-fault", error instanceof Error ? error.message : String(error));
    }
  }
  return open.length === 0 ? 60_000 : 1_000;
}

/** `asking`: agents that wait for a person's answer. */
function followOne(parts: Parts, account: Account, row: Heard, asking: ReadonlySet<string>): void {
  const { ledger, mail, now } = parts;
  const letter = row.letter === undefined ? undefined : mail.find(row.letter);
  if (letter === undefined) return ledger.mark(row.seq, "done"); // so old that it was forgotten
  if (letter.state === "answered") return finish(parts, row, "done", () => answer(parts, account, row, letter));
  if (letter.state === "typed") {
    const text = `Typed into the terminal of ${letter.to}, which can say no more.`;
    return finish(parts, row, "done", () => sayOver(parts, row, text));
  }
  if (letter.closed) {
    const text = `${letter.to} did not answer: ${letter.reason ?? letter.state}.`;
    return finish(parts, row, "failed", () => sayOver(parts, row, text));
  }
  const word = progressOf(letter, now(), asking.has(letter.to));
  if (word !== undefined && word !== row.told) progress(parts, account, row, word);
  if (letter.deliveredAt !== undefined && letter.reason === undefined) {
    repliesTo(parts, row).typing(Math.floor(now() / typingEveryMs));
  }
}

/** What its sender should know now; undefined where all goes its way. */
function progressOf(letter: Letter, now: number, isAsking: boolean): string | undefined {
  const { to, state, reason, createdAt, deliveredAt } = letter;
  if (deliveredAt === undefined) {
    if (now - createdAt < waitingMs) return undefined;
    // Nobody has looked after it yet: soon that is a word too.
    if (reason === undefined) return now - createdAt < workingMs ? undefined : `Your message waits for ${to}.`;
    if (state === "held") return `Your message waits: ${to}: ${reason}.`;
    const next = /^it is (stopped|dead)\b/.test(reason) ? ` Next: /start ${to}` : "";
    return `Your message waits for ${to}: ${reason}.${next}`;
  }
  if (reason !== undefined) return `${to} was cut off (${reason}); it may take this up again.`;
  const since = now - deliveredAt;
  if (since < workingMs) return undefined;
  if (isAsking) return `${to} waits for an answer to a question of its: /approvals`;
  const steps = Math.floor((since - workingMs) / progressMs);
  return `${to} works on it (${spanText(workingMs + steps * progressMs)}).`;
}

/** One message that is changed as things go on, so that nobody is rung for it. */
function progress(parts: Parts, { connector }: Account, row: Heard, word: string): void {
  const { outbox, ledger, now } = parts;
  const replies = repliesTo(parts, row);
  const key = replies.key("progress");
  ledger.database.atOnce(() => {
    if (outbox.find(key) === undefined) replies.say(key, word);
    else if (connector.capabilities.edit) replies.edit(`${key} ${now()}`, key, word);
    ledger.mark(row.seq, "passed", { told: word });
  });
}

/** The message that said how it went says how it ended, where there was one. */
export function endProgress(parts: Parts, row: Heard, text: string): void {
  const replies = repliesTo(parts, row);
  const key = replies.key("progress");
  if (parts.outbox.find(key) !== undefined) replies.edit(`${key} end`, key, text);
}

/** The last word about it, its mark and its end are one transaction: said once, and never not. */
function finish(parts: Parts, row: Heard, mark: "done" | "failed", last: () => void): void {
  const { ledger, now } = parts;
  ledger.database.atOnce(() => {
    endProgress(parts, row, mark === "done" ? `Done after ${spanText(Math.max(0, now() - row.heardAt))}.` : "Ended.");
    last();
    repliesTo(parts, row).mark(mark);
    ledger.mark(row.seq, "done");
  });
}

/** One answer, also where one turn answered several messages of a chat. */
function answer(parts: Parts, { connector, agent }: Account, row: Heard, letter: Letter): void {
  const { chat, account, thread } = row;
  const said = letter.answer?.trim() || "(The turn ended without a word.)";
  const text = letter.to === agent ? said : `${letter.to}: ${said}`;
  const mark = createHash("sha256").update(`${letter.to} ${letter.answeredAt} ${said}`).digest("hex").slice(0, 16);
  const key = `answer ${account} ${chat} ${thread ?? ""} ${mark}`;
  const { maxText, maxFile } = connector.capabilities;
  const replies = repliesTo(parts, row);
  if (split(text, maxText).length <= mostParts || maxFile <= Buffer.byteLength(text)) return replies.say(key, text);
  const path = join(parts.files, `${letter.id}.md`);
  writeAtomic(path, text);
  const head = text.slice(0, Math.min(600, maxText - 100)).replaceAll("```", "ʼʼʼ");
  replies.file(key, { path, name: "answer.md", text: `${head} …\n(the whole answer is in the file)` });
}

function sayOver(parts: Parts, row: Heard, text: string): void {
  const replies = repliesTo(parts, row);
  replies.say(replies.key("over"), text);
}
