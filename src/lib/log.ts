import { appendFileSync, mkdirSync, readFileSync, renameSync, statSync } from "node:fs";
import { dirname } from "node:path";

const rotateAt = 5 * 1024 * 1024;

/** What must never reach a log: bearer headers, chat and API tokens, our own capability tokens. */
const secrets = [
  /\b(xox[abposr]-|xapp-|sk-|syt_|mft_)[\w-]{6,}/g,
  /\b\d{6,}:[\w-]{30,}/g,
  /\b[\w-]{23,30}\.[\w-]{6,7}\.[\w-]{27,}/g,
  /\b(authorization|as_token|hs_token|api[_-]?key|token|password)(["']?\s*[:=]\s*["']?)((bearer|bot|basic)\s+)?[^\s"',}]{6,}/gi,
];

/** Takes secrets out of a line. */
export function redact(line: string): string {
  return secrets.reduce((text, pattern) => text.replaceAll(pattern, "[redacted]"), line);
}

/** One line of the fleet's log. */
export interface LogLine {
  at: string;
  agent?: string;
  event: string;
  note?: string;
}

/** A log that has grown to 5 MB becomes `.1`. */
export function rotate(path: string): void {
  try {
    if (statSync(path).size > rotateAt) renameSync(path, `${path}.1`);
  } catch {
    // no log yet
  }
}

/** Appends one JSON line, redacted; at 5 MB the file becomes `.1`. A log that cannot be written stops nothing. */
export function appendLog(path: string, line: LogLine): void {
  try {
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
    rotate(path);
    // Word by word and not the line as a whole, where JSON's own backslashes would hide a secret or be taken with it.
    const text = JSON.stringify(line, (_, value: unknown) => (typeof value === "string" ? redact(value) : value));
    appendFileSync(path, `${text}\n`, { mode: 0o600 });
  } catch {
    // see above
  }
}

/** The log's lines, oldest first, the rotated file included. */
export function readLog(path: string): LogLine[] {
  return [`${path}.1`, path].flatMap((file) => {
    let text: string;
    try {
      text = readFileSync(file, "utf8");
    } catch {
      return [];
    }
    return text.split("\n").flatMap((row) => {
      try {
        return [JSON.parse(row) as LogLine];
      } catch {
        return [];
      }
    });
  });
}
