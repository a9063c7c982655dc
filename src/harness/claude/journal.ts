import { closeSync, fstatSync, fsyncSync, openSync, readFileSync, readSync, renameSync, writeSync } from "node:fs";

/** From what size on the journal is begun anew; the one before is kept. */
const full = 1024 * 1024;

/** How far a message got with Claude Code, by its id. */
export interface JournalLine {
  at: number;
  /** About to be put on the inbox; in that process's own memory; or in the conversation. */
  kind: "putting" | "taken" | "delivered";
  id: string;
  /** Which Claude Code (`processOf`). */
  process: string;
  /** Which of its conversations was open then: a person may have begun another one in the terminal. */
  session?: string | undefined;
  /** Where that conversation's file ended just before; the spool, where the message was typed. */
  size?: number;
  /** Which prompt of Claude Code's it was, where it was typed and so has no id of ours. */
  prompt?: string | undefined;
}

/** What is about to be done is on disk when it returns; what was done can be seen in Claude Code's own files. */
export function keep(path: string, line: JournalLine): void {
  const file = openSync(path, "a+", 0o600);
  try {
    const { size } = fstatSync(file);
    const last = Buffer.alloc(1);
    const torn = size > 0 && readSync(file, last, 0, 1, size - 1) === 1 && last[0] !== 10;
    writeSync(file, `${torn ? "\n" : ""}${JSON.stringify(line)}\n`);
    if (line.kind === "putting") fsyncSync(file);
    if (size > full) renameSync(path, `${path}.1`);
  } finally {
    closeSync(file);
  }
}

/** The newest word about each of these messages, with what the words before it have told. */
export function lastWords(path: string, ids: readonly string[]): Map<string, JournalLine> {
  const wanted = new Set(ids);
  const words = new Map<string, JournalLine>();
  for (const file of [`${path}.1`, path]) {
    for (const text of linesOf(file)) {
      const line = parse(text);
      if (line !== undefined && wanted.has(line.id)) words.set(line.id, { ...words.get(line.id), ...line });
    }
  }
  return words;
}

export const lastWord = (path: string, id: string): JournalLine | undefined => lastWords(path, [id]).get(id);

function linesOf(path: string): string[] {
  try {
    return readFileSync(path, "utf8").split("\n");
  } catch {
    return [];
  }
}

function parse(line: string): JournalLine | undefined {
  if (line === "") return undefined;
  try {
    return JSON.parse(line) as JournalLine;
  } catch {
    return undefined; // cut off by a kill: nothing was acknowledged by it
  }
}
