import { randomInt } from "node:crypto";

import type { Inbound } from "../connector/connector.ts";
import type { Pairing } from "../contract/connector.ts";
import { FleetError } from "../lib/errors.ts";
import type { Standing } from "./access.ts";
import { atOnceOrWithin, type Ledger } from "./ledger.ts";

/** Nothing that looks like something else: no 0 O 1 I. */
const letters = "ABCDEFGHJKLMNPQRSTUVWXYZ23456789";
const length = 8;
const validMs = 10 * 60_000;
const mostPending = 3;
/** Wrong guesses of one account after which no code of it is good any more. */
const mostGuesses = 20;

/** Makes a code. It is handed on by the person at this machine, so whoever sends it was told it by them. */
export function newPairing({ database }: Ledger, account: string, standing: Standing, now: number): Pairing {
  const { db, atOnce } = database;
  return atOnce(() => {
    const pending = db.prepare("SELECT count(*) AS count FROM pairings WHERE account = ? AND expires_at > ?");
    if (Number(pending.get(account, now)?.["count"]) >= mostPending) {
      throw new FleetError("conflict", `${account} has ${mostPending} codes that wait already.`, {
        hint: `mosaic fleet connect pair list`,
      });
    }
    const code = Array.from({ length }, () => letters[randomInt(letters.length)]).join("");
    const expiresAt = now + validMs;
    db.prepare("INSERT INTO pairings (code, account, standing, created_at, expires_at) VALUES (?, ?, ?, ?, ?)").run(
      code,
      account,
      standing,
      now,
      expiresAt,
    );
    return { code, account, standing, expiresAt, claim: undefined };
  });
}

/** Codes that are good still, or that somebody has sent. */
export function pairings({ database: { db } }: Ledger, now: number): Pairing[] {
  const rows = db.prepare("SELECT * FROM pairings WHERE expires_at > ? ORDER BY created_at").all(now);
  return rows.map((row) => ({
    code: String(row["code"]),
    account: String(row["account"]),
    standing: String(row["standing"]) as Standing,
    expiresAt: Number(row["expires_at"]),
    claim:
      row["speaker"] === null
        ? undefined
        : { speaker: String(row["speaker"]), name: String(row["speaker_name"]), chat: String(row["chat"]) },
  }));
}

export function endPairing({ database }: Ledger, code: string): void {
  atOnceOrWithin(database, () => database.db.prepare("DELETE FROM pairings WHERE code = ?").run(code));
}

/**
 * Words that may be a code: noted, never answered. A stranger who guesses is soon not listened to; a user's are the code
 * only where they would make an owner of him, and words like any other else.
 */
export function claimPairing(
  ledger: Ledger,
  account: string,
  { inbound, standing }: { inbound: Inbound; standing: Standing | undefined },
  now: number,
): boolean {
  const { db } = ledger.database;
  const code = inbound.text.trim().toUpperCase();
  if (standing === "owner" || !/^[A-Z2-9]{8}$/.test(code)) return false;
  const found = pairings(ledger, now).find((one) => one.account === account && one.code === code);
  const { id, chat, speaker } = inbound;
  if (standing === "user") {
    if (found?.standing !== "owner") return false;
    if (found.claim !== undefined) return found.claim.speaker === speaker.id;
  }
  if (found === undefined || found.claim !== undefined) {
    ledger.audit({ at: now, account, chat, speaker: speaker.id, message: id, decision: "wrong code" });
    if (ledger.audited(account, "", "wrong code", now - validMs) >= mostGuesses)
      db.prepare("UPDATE pairings SET expires_at = 0 WHERE account = ?").run(account);
    return false;
  }
  const name = speaker.name.replaceAll(/[^\p{L}\p{N} _.-]/gu, "").slice(0, 40);
  db.prepare("UPDATE pairings SET speaker = ?, speaker_name = ?, chat = ? WHERE code = ?").run(
    speaker.id,
    name,
    chat,
    code,
  );
  return true;
}
