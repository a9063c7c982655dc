import { appendFileSync, readFileSync } from "node:fs";

import type { Receipt } from "../../contract/command.ts";

/** How far a message of that id got already; undefined where Codex has never taken it. */
export function receiptOf(journal: string, id: string): Receipt["state"] | undefined {
  let text: string;
  try {
    text = readFileSync(journal, "utf8");
  } catch {
    return undefined;
  }
  const noted = (state: Receipt["state"]) => text.includes(lineOf(id, state));
  return noted("delivered") ? "delivered" : noted("queued") ? "queued" : undefined;
}

/** Notes how far it got: Codex itself would take the same id twice. */
export function noteReceipt(journal: string, id: string, state: Receipt["state"]): void {
  appendFileSync(journal, lineOf(id, state), { mode: 0o600 });
}

const lineOf = (id: string, state: Receipt["state"]): string => `${JSON.stringify({ id, state })}\n`;
