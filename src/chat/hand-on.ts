import { createHash } from "node:crypto";

import { accept } from "../mail/accept.ts";
import { keepFiles } from "./files.ts";
import { endProgress } from "./follow.ts";
import type { Heard } from "./ledger.ts";
import type { Account, Parts } from "./parts.ts";
import { acknowledge, audit, close } from "./replies.ts";

/** Makes a message of it: durable there, before anything here says that it is passed on. */
export async function handOn(parts: Parts, account: Account, row: Heard, to: string, text: string): Promise<void> {
  const { ledger, mail, now } = parts;
  acknowledge(parts, row);
  const before = row.kind === "edit" ? withdrawn(parts, row) : undefined;
  const key = `chat ${row.account} ${row.chat} ${row.id}${row.kind === "edit" ? ` ${row.seq}` : ""}`;
  const id = idOf(key);
  // Made before a kill: the same message, whatever could be fetched or taken back then.
  if (mail.history(id).length === 0) {
    const files = await keepFiles(parts, account.connector, row);
    const isLate = row.isLate && row.kind === "message" && to === account.agent;
    const body = `${before === "read" ? correction : ""}${isLate ? lateness : ""}${text}${files}`;
    if (`${text}${files}`.trim() === "")
      return row.kind === "edit" ? ledger.mark(row.seq, "done") : close(parts, row, wordless);
    accept(
      mail,
      {
        id,
        key,
        to,
        from: { kind: row.standing === "owner" ? "owner" : "chat", name: nameOf(row) },
        mode: "next",
        body,
        answerWithinMs: account.answerWithinMs,
      },
      now(),
    );
  }
  ledger.database.atOnce(() => {
    ledger.mark(row.seq, "passed", { letter: id });
    audit(parts, row, "handed on", `${to} ${id}`);
  });
}

const wordless = "There are no words and no files in that, so nothing was handed on.";
const correction = "A correction of my last message:\n";
const lateness = "(This came late: it was said before what you were handed last from there.)\n";

/** The id of the message that something becomes: the same at every try. */
const idOf = (key: string): string =>
  createHash("sha256")
    .update(key)
    .digest("hex")
    .replace(/^(.{8})(.{4}).(.{3}).(.{3})(.{12}).*$/, "$1-$2-4$3-8$4-$5");

/** What was said under that id before and is not read yet is taken back. Undefined where nothing was handed on. */
export function withdrawn(parts: Parts, row: Heard): "read" | "taken back" | undefined {
  const { ledger, mail, now } = parts;
  const first = ledger.before(row.account, row.chat, row.id, row.seq);
  if (first?.state === "new" || first?.state === "stale") ledger.mark(first.seq, "done");
  const letter = first?.letter === undefined ? undefined : mail.find(first.letter);
  if (first === undefined || letter === undefined) return undefined;
  const isUnread = letter.closed
    ? letter.deliveredAt === undefined && (letter.state === "failed" || letter.state === "expired")
    : mail.takeBack(letter.id, now());
  if (!isUnread) return "read";
  ledger.database.atOnce(() => {
    endProgress(parts, first, "Taken back.");
    ledger.mark(first.seq, "done");
  });
  return "taken back";
}

/** A name is whatever somebody wants to be called: nothing of it may look like words of ours. */
const nameOf = ({ speakerName, account }: Heard): string =>
  `${
    speakerName
      .replaceAll(/[^\p{L}\p{N} _.-]/gu, "")
      .trim()
      .slice(0, 40) || "somebody"
  } on ${account}`;
