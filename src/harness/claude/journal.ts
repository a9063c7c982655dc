import { appendFileSync, readFileSync } from "node:fs";

/** What Claude Code took in, by message id: in its own memory (`taken`, by which process) or in the conversation. */
export interface JournalLine {
  at: number;
  kind: "taken" | "delivered";
  id: string;
  pid: number;
}

export const keep = (path: string, line: JournalLine): void =>
  appendFileSync(path, `${JSON.stringify(line)}\n`, { mode: 0o600 });

/** The newest word about a message. */
export function lastWord(path: string, id: string): JournalLine | undefined {
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch {
    return undefined;
  }
  const marked = text.split("\n").findLast((line) => line.includes(JSON.stringify(id)));
  try {
    return marked === undefined ? undefined : (JSON.parse(marked) as JournalLine);
  } catch {
    return undefined; // cut off by a kill: nothing was acknowledged by it
  }
}
