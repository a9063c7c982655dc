import { accept } from "../mail/accept.ts";
import { decide } from "./approvals.ts";
import { askerOf, carryOut, isFleetOrder, isLook, parseOrder, type Order } from "./commands.ts";
import { keepFiles } from "./files.ts";
import type { AccountIntake } from "./intake.ts";
import type { Heard } from "./ledger.ts";
import type { Account, Parts } from "./parts.ts";
import { errorText, spanText } from "./words.ts";

/** Older than this, what was not said to us in so many words is not acted upon by itself. */
const staleMs = 15 * 60_000;

/** Hands on everything that was heard and is not held, each chat in its own order; a slow one keeps no other chat. */
export async function routeWaiting(parts: Parts, account: Account, intake: AccountIntake): Promise<void> {
  const chats = Map.groupBy(
    parts.ledger.fresh(account.name).filter((row) => !intake.isHeld(row.chat)),
    (row) => row.chat,
  );
  await Promise.all(
    [...chats.values()].map(async (rows) => {
      for (const row of rows) {
        try {
          await route(parts, account, row);
        } catch (error) {
          reply(parts, row, errorText(error));
          parts.ledger.mark(row.seq, "done");
          parts.log("chat-fault", error instanceof Error ? error.message : String(error));
        }
      }
    }),
  );
}

async function route(parts: Parts, account: Account, row: Heard): Promise<void> {
  const { ledger } = parts;
  if (row.kind === "delete") return takeBack(parts, row);
  if (row.kind === "press") return decide(parts, row, row.choice ?? "");
  const order = parseOrder(row.text);
  if (row.state === "begun") {
    reply(parts, row, "mosaic was restarted in the middle of this; whether it was carried out is not known. See /ps.");
    return ledger.mark(row.seq, "done");
  }
  const age = row.heardAt - row.saidAt;
  const isStale = age > staleMs;
  if (order === undefined) {
    if (isStale && !row.isDirect && !row.isToUs) return putAside(parts, row);
    return handOn(parts, account, row, account.agent, row.text);
  }
  acknowledge(parts, row);
  if ("unknown" in order) return close(parts, row, order.unknown);
  if (isStale && !isLook(order))
    return close(
      parts,
      row,
      `This came ${spanText(age)} late and was not carried out. Send it again if you still mean it.`,
    );
  return obey(parts, account, row, order);
}

async function obey(parts: Parts, account: Account, row: Heard, order: Order): Promise<void> {
  const { ledger, fleet } = parts;
  const { word, rest } = order;
  if (word === "approve" || word === "deny") return decide(parts, row, rest, word === "approve" ? "allow" : "deny");
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
  const said = await carryOut(fleet, askerOf(row), order, account.agent).catch(errorText);
  audit(parts, row, `command ${word}`, rest.slice(0, 200));
  return close(parts, row, said);
}

/** Makes a message of it: durable there, before anything here says that it is passed on. */
async function handOn(parts: Parts, account: Account, row: Heard, to: string, text: string): Promise<void> {
  const { ledger, mail, now } = parts;
  acknowledge(parts, row);
  const before = row.kind === "edit" ? withdrawn(parts, row) : undefined;
  const files = await keepFiles(parts, account.connector, row);
  const correction = before === "read" ? "A correction of my last message:\n" : "";
  const body = `${correction}${text}${files}`;
  if (body.trim() === "") return ledger.mark(row.seq, "done");
  const letter = accept(
    mail,
    {
      key: `chat ${row.account} ${row.chat} ${row.id}${row.kind === "edit" ? ` ${row.seq}` : ""}`,
      to,
      from: { kind: row.standing === "owner" ? "owner" : "chat", name: nameOf(row) },
      mode: "next",
      body,
      answerWithinMs: account.answerWithinMs,
    },
    now(),
  );
  ledger.mark(row.seq, "passed", { letter: letter.id });
  audit(parts, row, "handed on", `${to} ${letter.id}`);
}

/** Changed before it was read: the old text is taken back. Undefined where nothing was handed on. */
function withdrawn(parts: Parts, row: Heard): "read" | "taken back" | undefined {
  const first = earlier(parts, row);
  const letter = first?.letter === undefined ? undefined : parts.mail.find(first.letter);
  if (first === undefined || letter === undefined) return undefined;
  if (letter.closed || !parts.mail.takeBack(letter.id, parts.now())) return "read";
  parts.ledger.mark(first.seq, "done");
  return "taken back";
}

function takeBack(parts: Parts, row: Heard): void {
  const found = withdrawn(parts, row);
  if (found === undefined) {
    const first = earlier(parts, row);
    if (first?.state === "new" || first?.state === "stale") parts.ledger.mark(first.seq, "done");
  }
  parts.ledger.mark(row.seq, "done");
}

/** What was said under the same id before this row. */
const earlier = (parts: Parts, row: Heard): Heard | undefined =>
  parts.ledger.before(row.account, row.chat, row.id, row.seq);

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

/** At once, whatever the agent does: who wrote sees that it was heard. */
function acknowledge({ outbox, now }: Parts, row: Heard): void {
  const { account, chat, thread, id } = row;
  if (row.kind !== "message") return;
  outbox.say(
    account,
    { chat, thread },
    `heard ${account} ${chat} ${id}`,
    { kind: "mark", message: id, mark: "heard" },
    now(),
  );
  outbox.say(account, { chat, thread }, `typing ${account} ${chat} ${id} 0`, { kind: "typing" }, now());
}

function close(parts: Parts, row: Heard, text: string): void {
  const { account, chat, thread, id } = row;
  parts.ledger.database.atOnce(() => {
    reply(parts, row, text);
    parts.outbox.say(
      account,
      { chat, thread },
      `done ${account} ${chat} ${id}`,
      { kind: "mark", message: id, mark: "done" },
      parts.now(),
    );
    parts.ledger.mark(row.seq, "done");
  });
}

function reply({ outbox, now }: Parts, row: Heard, text: string): void {
  const { account, chat, thread, id, seq } = row;
  outbox.sayLong(account, { chat, thread }, `reply ${account} ${chat} ${seq}`, { text, replyTo: id }, now());
}

function audit({ ledger, now }: Parts, row: Heard, decision: string, note: string): void {
  const { account, chat, speaker, id } = row;
  ledger.audit({ at: now(), account, chat, speaker, message: id, decision, note });
}

/** A name is whatever somebody wants to be called: nothing of it may look like words of ours. */
const nameOf = ({ speakerName, account }: Heard): string =>
  `${
    speakerName
      .replaceAll(/[^\p{L}\p{N} _.-]/gu, "")
      .trim()
      .slice(0, 40) || "somebody"
  } on ${account}`;
