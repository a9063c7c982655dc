import { readFileSync } from "node:fs";

import { follower } from "../../lib/new-lines.ts";
import { isLiving } from "../../lib/proc.ts";
import type { Desk, Trace } from "../harness.ts";
import { endIn, type Kept } from "./ends.ts";
import type { JournalLine } from "./wire.ts";

/** More than a journal holds. */
const most = 64 * 1024 * 1024;

/** What the journal says of one message. */
interface Known {
  text: string;
  saved: boolean;
  stamp: number | undefined;
  trace: Trace | undefined;
}

/** What the extension has noted of messages, by Pi's own events; Pi itself need not run. */
export function traceOf(desk: Desk, ids: readonly string[]): Map<string, Trace> {
  const { place } = desk;
  const found = new Map<string, Trace>();
  const parts = [`${place.journal}.1`, place.journal].map(follow);
  let gone: Kept[] | undefined;
  for (const id of ids) {
    const [before, now] = parts.map((part) => part?.get(id));
    const trace = now?.trace ?? before?.trace;
    if (trace === undefined) continue;
    const text = before?.text || now?.text;
    const { saved, stamp } = now?.trace === undefined ? { ...before } : now;
    if (trace.end === undefined && text !== undefined && (saved || before?.saved || now?.saved) && !isUp(desk)) {
      gone ??= conversation(place.session);
      const end = endIn(gone, { text, stamp });
      found.set(id, { ...trace, ...(end && { end }) });
    } else found.set(id, trace);
  }
  return found;
}

const follow = follower(most, () => new Map<string, Known>(), learn);

function learn(known: Map<string, Known>, text: string): void {
  let line: JournalLine | null;
  try {
    line = JSON.parse(text) as JournalLine | null;
  } catch {
    return; // cut off by a kill
  }
  if (typeof line !== "object" || line === null || line.kind === "state" || typeof line.id !== "string") return;
  const one = known.get(line.id) ?? { text: "", saved: false, stamp: undefined, trace: undefined };
  known.set(line.id, one);
  switch (line.kind) {
    case "accepted":
      one.text = line.text;
      return;
    case "delivered":
      // Again after a crash: what had become of it before is gone with that conversation.
      one.stamp = line.stamp;
      one.trace = { at: line.stamp ?? line.at, acted: false };
      return;
    case "saved":
      one.saved = true;
      return;
    case "acted":
      one.trace = { ...one.trace, acted: true };
      return;
    case "answered":
      one.trace = { ...one.trace, acted: true, end: { kind: "answered", text: line.text, at: line.at } };
      return;
    case "broken":
      one.trace = {
        acted: false,
        ...one.trace,
        end: { kind: "broken", why: line.why, ...(line.cut && { cut: true }) },
      };
  }
}

function isUp({ place }: Desk): boolean {
  try {
    const [, pid, started] = /^pid=(\d+)\nstart=(\d+)$/m.exec(readFileSync(place.pid, "utf8")) ?? [];
    return started !== undefined && isLiving({ pid: Number(pid), started });
  } catch {
    return false;
  }
}

/** The conversation in Pi's own file. */
function conversation(session: string): Kept[] {
  try {
    const { file } = JSON.parse(readFileSync(session, "utf8")) as { file: string };
    return readFileSync(file, "utf8").split("\n").flatMap(messageIn);
  } catch {
    return [];
  }
}

function messageIn(line: string): Kept[] {
  try {
    const { message } = JSON.parse(line) as { message?: Kept };
    return message === undefined ? [] : [message];
  } catch {
    return [];
  }
}
