import { join } from "node:path";

import { sqlite } from "../../lib/sqlite.ts";
import type { Desk, Said } from "../harness.ts";

/** OpenCode's own record of all conversations. */
export const databaseOf = ({ env }: Pick<Desk, "env">): string =>
  join(env["XDG_DATA_HOME"] ?? join(env["HOME"] ?? "/", ".local", "share"), "opencode", "opencode.db");

/** Reads the newest lines of a conversation out of OpenCode's database, whether or not it runs. */
export function readConversation(desk: Pick<Desk, "env">, id: string, lines: number): Said[] {
  const { DatabaseSync } = sqlite();
  const database = new DatabaseSync(databaseOf(desk), { readOnly: true });
  try {
    database.exec("PRAGMA busy_timeout=2000");
    const messages = database.prepare(
      "SELECT id, data FROM message WHERE session_id = ? ORDER BY time_created DESC, id DESC",
    );
    const parts = database.prepare("SELECT data FROM part WHERE message_id = ? ORDER BY id");
    const said: Said[] = [];
    for (const row of messages.iterate(id)) {
      const message = JSON.parse(String(row["data"])) as Head;
      const texts = parts.all(String(row["id"])).flatMap((part) => wordsOf(message, String(part["data"])));
      said.unshift(...texts);
      if (said.length >= lines) break;
    }
    return said.slice(-lines);
  } finally {
    database.close();
  }
}

interface Head {
  role: "user" | "assistant";
  time: { created: number };
  error?: { name: string; data?: { message?: string } };
}

interface Part {
  type: string;
  text?: string;
  synthetic?: boolean;
  tool?: string;
  state?: { input?: unknown; output?: string; error?: string };
}

function wordsOf({ role, time }: Head, data: string): Said[] {
  const part = JSON.parse(data) as Part;
  const at = new Date(time.created).toISOString();
  if (part.type === "text" && part.text && !part.synthetic)
    return [{ who: role === "user" ? "user" : "agent", at, text: part.text }];
  if (part.type !== "tool") return [];
  const result = part.state?.output ?? part.state?.error;
  return [
    { who: "tool", at, text: `${part.tool ?? "tool"} ${JSON.stringify(part.state?.input ?? {})}` },
    ...(result === undefined ? [] : [{ who: "tool" as const, at, text: result }]),
  ];
}
