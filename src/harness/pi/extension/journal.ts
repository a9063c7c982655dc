import { appendFileSync, closeSync, fsyncSync, openSync, readFileSync, renameSync, statSync } from "node:fs";

import type { JournalLine } from "../wire.ts";

const rotateAt = 4 * 1024 * 1024;

/** What this agent accepted and what became of it; survives Pi's own death. */
export interface Journal {
  /** On disk when it returns; throws where it cannot be, so that nothing is acknowledged that is not there. */
  keep(line: JournalLine): void;
  /** The same for what happened anyway: a full disk must not throw into Pi. */
  note(line: JournalLine): void;
  seen(id: string): "accepted" | "delivered" | undefined;
  /** Accepted and not known to be in Pi's session file, oldest first. */
  open(): Accepted[];
  /** In Pi's session file, and nothing said of how its turn ended. */
  unended(): { id: string; text: string; stamp: number | undefined }[];
}

type Accepted = Extract<JournalLine, { kind: "accepted" }>;

/** What is seen in Pi's own file again needs no disk of its own to be reached before Pi goes on. */
const hasty = new Set<JournalLine["kind"]>(["state", "acted", "answered", "broken"]);

export function openJournal(path: string): Journal {
  const accepted = new Map<string, Accepted>();
  const delivered = new Map<string, number | undefined>();
  const saved = new Set<string>();
  const ended = new Set<string>();
  const learn = (line: JournalLine) => {
    if (line.kind === "accepted") accepted.set(line.id, line);
    if (line.kind === "delivered") delivered.set(line.id, line.stamp);
    if (line.kind === "saved") saved.add(line.id);
    if (line.kind === "answered" || line.kind === "broken") ended.add(line.id);
  };
  for (const file of [`${path}.1`, path]) for (const line of readLines(file)) learn(line);
  if (sizeOf(path) > rotateAt) renameSync(path, `${path}.1`);
  // A kill in the middle of the last line must not spoil the next one.
  let torn = endsTorn(path);
  const journal: Journal = {
    keep(line) {
      const file = openSync(path, "a", 0o600);
      try {
        appendFileSync(file, `${torn ? "\n" : ""}${JSON.stringify(line)}\n`);
        torn = false;
        if (!hasty.has(line.kind)) fsyncSync(file);
      } finally {
        closeSync(file);
      }
      learn(line);
    },
    note(line) {
      try {
        journal.keep(line);
      } catch {
        learn(line); // known until Pi ends; then the conversation itself is asked
      }
    },
    seen: (id) => (delivered.has(id) ? "delivered" : accepted.has(id) ? "accepted" : undefined),
    open: () => [...accepted.values()].filter((line) => !saved.has(line.id)),
    unended: () =>
      [...accepted.values()]
        .filter(({ id }) => saved.has(id) && !ended.has(id))
        .map(({ id, text }) => ({ id, text, stamp: delivered.get(id) })),
  };
  return journal;
}

function readLines(path: string): JournalLine[] {
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch {
    return [];
  }
  return text.split("\n").flatMap((line): JournalLine[] => {
    try {
      const found = JSON.parse(line) as JournalLine | null;
      if (found?.kind === "state") return [found];
      if (typeof found?.id !== "string") return [];
      return found.kind === "accepted" && typeof found.text !== "string" ? [] : [found];
    } catch {
      return []; // the empty end, or a line that a kill cut off: it was never acknowledged
    }
  });
}

function endsTorn(path: string): boolean {
  try {
    const bytes = readFileSync(path);
    return bytes.length > 0 && bytes.at(-1) !== 10;
  } catch {
    return false;
  }
}

function sizeOf(path: string): number {
  try {
    return statSync(path).size;
  } catch {
    return 0;
  }
}
