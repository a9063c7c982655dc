import { createHash } from "node:crypto";
import { join } from "node:path";

import { writeAtomic } from "../lib/atomic.ts";
import type { Letter } from "../mail/letter.ts";
import type { Heard } from "./ledger.ts";
import type { Account, Parts } from "./parts.ts";
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
  for (const row of open) {
    try {
      followOne(parts, account, row);
    } catch (error) {
      // What cannot be kept now is looked at again; nobody behind it waits for that.
      parts.log("chat-fault", error instanceof Error ? error.message : String(error));
    }
  }
  return open.length === 0 ? 60_000 : 1_000;
}

function followOne(parts: Parts, account: Account, row: Heard): void {
  const { ledger, mail, now } = parts;
  const letter = row.letter === undefined ? undefined : mail.find(row.letter);
  if (letter === undefined) return ledger.mark(row.seq, "done"); // so old that it was forgotten
  if (letter.state === "answered") return finish(parts, row, "done", () => answer(parts, account, row, letter));
  if (letter.state === "typed") {
    const text = `Typed into the terminal of ${letter.to}, which can say no more.`;
    return finish(parts, row, "done", () => say(parts, row, "over", text));
  }
  if (letter.closed) {
    const text = `${letter.to} did not answer: ${letter.reason ?? letter.state}.`;
    return finish(parts, row, "failed", () => say(parts, row, "over", text));
  }
  const word = progressOf(letter, now());
  if (word !== undefined && word !== row.told) progress(parts, account, row, word);
  if (letter.deliveredAt !== undefined && letter.reason === undefined) typing(parts, row);
}

/** What its sender should know now; undefined where all goes its way. */
function progressOf(letter: Letter, now: number): string | undefined {
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
  const steps = Math.floor((since - workingMs) / progressMs);
  return `${to} works on it (${spanText(workingMs + steps * progressMs)}).`;
}

/** One message that is changed as things go on, so that nobody is rung for it. */
function progress(parts: Parts, { connector }: Account, row: Heard, word: string): void {
  const { outbox, ledger, now } = parts;
  const { account, chat, thread, id } = row;
  const key = `progress ${account} ${chat} ${row.seq}`;
  ledger.database.atOnce(() => {
    if (outbox.find(key) === undefined)
      outbox.say(account, { chat, thread }, key, { kind: "text", text: word, replyTo: id }, now());
    else if (connector.capabilities.edit)
      outbox.say(account, { chat, thread }, `${key} ${now()}`, { kind: "edit", of: key, text: word }, now());
    ledger.mark(row.seq, "passed", { told: word });
  });
}

function typing({ outbox, now }: Parts, { account, chat, thread, id }: Heard): void {
  const step = Math.floor(now() / typingEveryMs);
  outbox.say(account, { chat, thread }, `typing ${account} ${chat} ${id} ${step}`, { kind: "typing" }, now());
}

/** The message that said how it went says how it ended, where there was one. */
export function endProgress({ outbox, now }: Parts, { account, chat, thread, seq }: Heard, text: string): void {
  const key = `progress ${account} ${chat} ${seq}`;
  if (outbox.find(key) === undefined) return;
  outbox.say(account, { chat, thread }, `${key} end`, { kind: "edit", of: key, text }, now());
}

/** The last word about it, its mark and its end are one transaction: said once, and never not. */
function finish(parts: Parts, row: Heard, mark: "done" | "failed", last: () => void): void {
  const { ledger, outbox, now } = parts;
  const { account, chat, thread, id } = row;
  ledger.database.atOnce(() => {
    endProgress(parts, row, mark === "done" ? `Done after ${spanText(Math.max(0, now() - row.heardAt))}.` : "Ended.");
    last();
    outbox.say(
      account,
      { chat, thread },
      `${mark} ${account} ${chat} ${id}`,
      { kind: "mark", message: id, mark },
      now(),
    );
    ledger.mark(row.seq, "done");
  });
}

/** One answer, also where one turn answered several messages of a chat. */
function answer(parts: Parts, { connector, agent }: Account, row: Heard, letter: Letter): void {
  const { chat, account, thread, id } = row;
  const said = letter.answer?.trim() || "(The turn ended without a word.)";
  const text = letter.to === agent ? said : `${letter.to}: ${said}`;
  const mark = createHash("sha256").update(`${letter.to} ${letter.answeredAt} ${said}`).digest("hex").slice(0, 16);
  const key = `answer ${account} ${chat} ${thread ?? ""} ${mark}`;
  const { maxText, maxFile } = connector.capabilities;
  if (split(text, maxText).length > mostParts && maxFile > Buffer.byteLength(text)) {
    const path = join(parts.files, `${letter.id}.md`);
    writeAtomic(path, text);
    const head = `${text.slice(0, Math.min(600, maxText - 100)).replaceAll("```", "ʼʼʼ")} …\n(the whole answer is in the file)`;
    const saying = { kind: "file", path, name: "answer.md", text: head, replyTo: id } as const;
    parts.outbox.say(account, { chat, thread }, key, saying, parts.now());
  } else parts.outbox.sayLong(account, { chat, thread }, key, { text, replyTo: id }, parts.now());
}

const say = ({ outbox, now }: Parts, { account, chat, thread, id, seq }: Heard, what: string, text: string): void =>
  outbox.sayLong(account, { chat, thread }, `${what} ${account} ${chat} ${seq}`, { text, replyTo: id }, now());
