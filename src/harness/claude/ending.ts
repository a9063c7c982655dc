import { closeSync, fstatSync, openSync, readSync } from "node:fs";

import { isInterruption, textOf, type Row } from "./transcript.ts";

/** How much is read at once, and how far back at most: nearly always the first piece tells. */
const piece = 64 * 1024;
const most = 2 * 1024 * 1024;

/** The last request of a conversation where it failed. */
export interface Fault {
  /** Claude Code's own word for it: `authentication_failed`, `rate_limit`, `server_error`, … */
  kind: string | undefined;
  status: number | undefined;
  text: string;
  /** ms since 1970. */
  at: number;
  /** When the limit ends, in ms since 1970; Claude Code writes it only where the provider has said so. */
  resetsAt?: number;
}

/** How a conversation ends at the moment. */
export interface Ending {
  /** Requests to the model since somebody last said something: the second and later ones are tries again. */
  requests: number;
  fault?: Fault;
}

/** Reads how a conversation ends, from its end. */
export function readEnding(file: string | undefined): Ending {
  if (file === undefined) return { requests: 0 };
  return endingOf(rowsBackwards(file));
}

/** What the newest rows say, newest first. A turn that a person broke off says nothing of the fault before it. */
function endingOf(rows: Iterable<Row>): Ending {
  let requests = 0;
  let counting = true;
  for (const row of rows) {
    if (row.isSidechain === true) continue;
    if (row.type === "api-request") {
      if (counting && row.querySource === "repl_main_thread") requests += 1;
      continue;
    }
    if (row.type === "assistant") {
      const fault = row.isApiErrorMessage === true ? faultIn(row) : undefined;
      return { requests, ...(fault && { fault }) };
    }
    if (row.type === "user") {
      counting = false;
      if (isInterruption(row)) return { requests };
    }
  }
  return { requests };
}

function faultIn(row: Row): Fault {
  const resetsAt = row.quotaLimits?.resetsAt;
  return {
    kind: row.error,
    status: row.apiErrorStatus,
    text: textOf(row),
    at: Date.parse(row.timestamp ?? ""),
    ...(resetsAt !== undefined && { resetsAt: resetsAt * 1_000 }),
  };
}

function* rowsBackwards(file: string): Generator<Row> {
  for (const line of linesBackwards(file)) {
    if (!/"type":"(user|assistant|api-request)"/.test(line)) continue;
    try {
      yield JSON.parse(line) as Row;
    } catch {
      // the last line while it is being written
    }
  }
}

/** The whole lines of a file from its end on: long ones (what tools said) cost nothing where the newest tells enough. */
function* linesBackwards(file: string): Generator<string> {
  let handle: number;
  try {
    handle = openSync(file, "r");
  } catch {
    return;
  }
  try {
    let end = fstatSync(handle).size;
    const least = Math.max(0, end - most);
    let rest: Buffer = Buffer.alloc(0);
    while (end > least) {
      const start = Math.max(least, end - piece);
      const bytes = Buffer.alloc(end - start);
      readSync(handle, bytes, 0, bytes.length, start);
      const both = Buffer.concat([bytes, rest]);
      const cut = start === 0 ? 0 : both.indexOf("\n") + 1;
      if (cut > 0 || start === 0) yield* both.subarray(cut).toString("utf8").split("\n").toReversed();
      rest = start === 0 ? Buffer.alloc(0) : cut > 0 ? both.subarray(0, cut - 1) : both;
      end = start;
    }
  } finally {
    closeSync(handle);
  }
}
