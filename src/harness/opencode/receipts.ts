import { appendFileSync, readFileSync } from "node:fs";

/** OpenCode's id of the message that has our id; undefined where none was ever given to it. */
export function messageOf(journal: string, id: string): string | undefined {
  let text: string;
  try {
    text = readFileSync(journal, "utf8");
  } catch {
    return undefined;
  }
  const at = text.lastIndexOf(`{"id":${JSON.stringify(id)},`);
  return at < 0 ? undefined : /"message":"(\w+)"/.exec(text.slice(at))?.[1];
}

/** Whether OpenCode's message of that id is one of ours. */
export const isNoted = (journal: string, message: string): boolean => holds(journal, `"message":"${message}"`);

/** Notes that it was taken up again; false where it was before: what fails without a trace would do so without end. */
export function noteTakenUp(journal: string, message: string): boolean {
  const line = JSON.stringify({ takenUp: message });
  if (holds(journal, line)) return false;
  appendFileSync(journal, `${line}\n`, { mode: 0o600 });
  return true;
}

function holds(journal: string, words: string): boolean {
  try {
    return readFileSync(journal, "utf8").includes(words);
  } catch {
    return false;
  }
}

/** Written before OpenCode sees the message, so that whoever is killed in between does not give it twice. */
export const noteMessage = (journal: string, id: string, message: string): void =>
  appendFileSync(journal, `${JSON.stringify({ id, message })}\n`, { mode: 0o600 });

/**
 * An id as OpenCode makes them: it orders a conversation by them, so a new one must come after all others, also where
 * the clock was set back. 48 bits of time (ms × 4096), then 14 characters.
 */
export function nextMessage(newest: string | undefined, now: number): string {
  const mask = (1n << 48n) - 1n;
  const last = BigInt(`0x${/^msg_([0-9a-f]{12})/.exec(newest ?? "")?.[1] ?? "0"}`);
  const time = (BigInt(now) * 4096n) & mask;
  const ahead = time > last ? time : last + 1n;
  return `msg_${ahead.toString(16).padStart(12, "0")}${crypto.randomUUID().replaceAll("-", "").slice(0, 14)}`;
}
