import { appendFileSync, readFileSync } from "node:fs";

import type { Line } from "./channel.ts";

/** `offered`: it was about to be handed to Codex, and whether Codex has it only the conversation knows. */
type Noted = "offered" | "queued" | "delivered";

/** How far a message of that id got already; undefined where it was never offered. */
export function receiptOf(journal: string, id: string): Noted | undefined {
  let text: string;
  try {
    text = readFileSync(journal, "utf8");
  } catch {
    return undefined;
  }
  return (["delivered", "queued", "offered"] as const).find((state) => text.includes(lineOf(id, state)));
}

/** Notes how far it got: Codex itself would take the same id twice. */
export function noteReceipt(journal: string, id: string, state: Noted): void {
  appendFileSync(journal, lineOf(id, state), { mode: 0o600 });
}

const lineOf = (id: string, state: Noted): string => `${JSON.stringify({ id, state })}\n`;

interface Page<T> {
  data: T[];
  nextCursor: string | null;
}

/** How many items of a conversation are asked for at once, and how many pages back a message is looked for. */
const [pageSize, pages] = [100, 20];

/** What waits in Codex's own queue, by the ids that it was given, oldest first. */
export async function queueOf(line: Line, threadId: string): Promise<string[]> {
  type Queue = Page<{ clientUserMessageId: string }>;
  const queue = await line.call<Queue>("thread/queue/list", { threadId, limit: pageSize });
  return queue.data.map((one) => one.clientUserMessageId);
}

/** Where Codex itself has the message of that id: waiting in its queue, or in the conversation. */
export async function whereIs(line: Line, threadId: string, id: string): Promise<"queued" | "delivered" | undefined> {
  if ((await queueOf(line, threadId)).includes(id)) return "queued";
  let cursor: string | null = null;
  for (let page = 0; page < pages; page++) {
    const asked = { threadId, limit: pageSize, sortDirection: "desc", ...(cursor !== null && { cursor }) };
    const found: Page<{ item: { clientId?: string | null } }> = await line.call("thread/items/list", asked);
    if (found.data.some(({ item }) => item.clientId === id)) return "delivered";
    cursor = found.nextCursor;
    if (cursor === null) break;
  }
  return undefined;
}
