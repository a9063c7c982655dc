import { randomBytes, randomInt } from "node:crypto";
import type { SQLOutputValue } from "node:sqlite";

import type { Approval } from "../contract/command.ts";
import { atOnceOrWithin, type Ledger } from "./ledger.ts";

/** One question of an agent, as it was put to one chat. The token is good for this question, there, once. */
export interface Prompt {
  token: string;
  /** What to type where there are no buttons. */
  code: string;
  agent: string;
  permission: string;
  what: string;
  account: string;
  chat: string;
  thread: string | undefined;
  state: "open" | "decided" | "gone" | "expired";
  expiresAt: number;
}

/** How long a question may be answered by chat. The dialog in the terminal stays. */
const validMs = 60 * 60_000;
/** No l, which looks like 1 and I. */
const letters = "abcdefghijkmnopqrstuvwxyz";

export interface Prompts {
  /** The prompt of that question in that chat, made where it is new. */
  put(approval: Approval, to: { account: string; chat: string }, now: number): Prompt & { fresh: boolean };
  open(): Prompt[];
  /** By its token, or by the code that somebody typed in that account. */
  find(account: string, given: string): Prompt | undefined;
  /** Every prompt of the same question. */
  siblings(question: Pick<Prompt, "agent" | "permission" | "what">): Prompt[];
  move(token: string, state: Prompt["state"], now: number): void;
}

export function openPrompts({ database }: Pick<Ledger, "database">): Prompts {
  const { db, atOnce } = database;
  const sql = {
    same: db.prepare(
      "SELECT * FROM prompts WHERE agent = ? AND permission = ? AND what = ? AND account = ? AND chat = ?",
    ),
    put: db.prepare(`INSERT INTO prompts (token, code, agent, permission, what, account, chat, state, created_at, expires_at)
      VALUES (?, ?, ?, ?, ?, ?, ?, 'open', ?, ?) RETURNING *`),
    open: db.prepare("SELECT * FROM prompts WHERE state = 'open' ORDER BY created_at"),
    find: db.prepare(
      "SELECT * FROM prompts WHERE account = ? AND (token = ? OR code = ?) ORDER BY state = 'open' DESC, created_at DESC LIMIT 1",
    ),
    siblings: db.prepare("SELECT * FROM prompts WHERE agent = ? AND permission = ? AND what = ?"),
    move: db.prepare("UPDATE prompts SET state = ?, changed_at = ? WHERE token = ?"),
    forget: db.prepare("DELETE FROM prompts WHERE token = ?"),
  };
  return {
    put: (approval, { account, chat }, now) =>
      atOnce(() => {
        const { agent, id, what } = approval;
        const same = sql.same.get(agent, id ?? "", what, account, chat);
        // Providers may repeat an id: what began to wait only after the one before was over is another question.
        const isOver =
          same !== undefined && same["state"] !== "open" && Date.parse(approval.at) > Number(same["changed_at"]);
        if (same !== undefined && !isOver) return { ...promptOf(same), fresh: false };
        if (same !== undefined) sql.forget.run(String(same["token"]));
        const token = randomBytes(16).toString("base64url");
        const code = Array.from({ length: 5 }, () => letters[randomInt(letters.length)]).join("");
        const row = sql.put.get(token, code, agent, id ?? "", what, account, chat, now, now + validMs);
        return { ...promptOf(row ?? {}), fresh: true };
      }),
    open: () => sql.open.all().map(promptOf),
    find(account, given) {
      const row = given === "" ? undefined : sql.find.get(account, given, given.toLowerCase());
      return row === undefined ? undefined : promptOf(row);
    },
    siblings: ({ agent, permission, what }) => sql.siblings.all(agent, permission, what).map(promptOf),
    move: (token, state, now) => void atOnceOrWithin(database, () => sql.move.run(state, now, token)),
  };
}

function promptOf(row: Record<string, SQLOutputValue>): Prompt {
  const thread = row["thread"];
  return {
    token: String(row["token"]),
    code: String(row["code"]),
    agent: String(row["agent"]),
    permission: String(row["permission"]),
    what: String(row["what"]),
    account: String(row["account"]),
    chat: String(row["chat"]),
    thread: typeof thread === "string" ? thread : undefined,
    state: String(row["state"]) as Prompt["state"],
    expiresAt: Number(row["expires_at"]),
  };
}
