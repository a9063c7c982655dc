import { follower } from "../../lib/new-lines.ts";
import { isLiving } from "../../lib/proc.ts";
import type { Desk, Trace } from "../harness.ts";
import { lastWords } from "./journal.ts";
import { readConversation, transcriptOf } from "./place.ts";
import { readSession, type Session } from "./registry.ts";
import { eventsFrom, spoolOf } from "./spool.ts";
import { parse } from "./transcript.ts";
import { answered, followTurns, isComplete, type Turn, cutOff } from "./turns.ts";
import { uuidOf } from "./uuid.ts";

/** How far back a conversation is read at first; what comes later is read as it comes. */
const most = 16 * 1024 * 1024;
/** How long Claude Code may take to write down what its registry says already. Seen: 100 ms. */
const writingMs = 1_000;

/** What Claude Code's own transcripts say of messages by their ids. */
export function traceOf(desk: Desk, ids: readonly string[]): Map<string, Trace> {
  const { agent, place } = desk;
  const found = new Map<string, Trace>();
  const conversation = readConversation(place.session);
  if (conversation === undefined || ids.length === 0) return found;
  const session = living(readSession(conversation.config, place));
  const words = lastWords(place.journal, ids);
  // A person may have begun or resumed another conversation in the terminal; its newest word counts.
  const sessions = [conversation.id, ...[...words.values()].map((word) => word.session), session?.sessionId];
  for (const id of new Set(sessions)) {
    const file = id === undefined ? undefined : transcriptOf({ ...conversation, id }, agent.workdir);
    const turns = file === undefined ? undefined : follow(file);
    const here = session?.sessionId === undefined || session.sessionId === id ? session : undefined;
    for (const one of ids) {
      const arrival = turns?.find(uuidOf(one)) ?? turns?.find(words.get(one)?.prompt ?? "");
      if (arrival === undefined || found.get(one)?.end?.kind === "answered") continue;
      const end = arrival.turn.end ?? endOf(arrival.turn, here, desk);
      const { at, acted } = arrival;
      found.set(one, { acted, ...(at !== undefined && { at }), ...(end !== undefined && { end }) });
    }
  }
  return found;
}

/** How a turn ended of which the transcript does not say so; undefined while it runs. */
function endOf(turn: Turn, session: Session | undefined, desk: Desk): Trace["end"] {
  if (session !== undefined && (session.startedAt ?? 0) <= turn.lastAt) {
    const idleSince = session.status === "idle" ? (session.statusUpdatedAt ?? 0) : 0;
    if (idleSince < turn.lastAt || Date.now() - idleSince < writingMs) return undefined;
    return isComplete(turn) ? answered(turn) : { kind: "broken", why: "it stopped working on it" };
  }
  if (isComplete(turn)) return answered(turn);
  // Killed before it had written down what it had already told its hook.
  const last = eventsFrom(spoolOf(desk), 0).findLast(({ event }) => event.prompt_id === turn.prompt)?.event;
  if (turn.prompt !== undefined && last?.hook_event_name === "Stop" && last.last_assistant_message !== undefined)
    return answered({ ...turn, text: last.last_assistant_message });
  if (turn.prompt !== undefined && last?.hook_event_name === "StopFailure")
    return { kind: "broken", why: last.last_assistant_message ?? last.error ?? "the request failed" };
  return cutOff;
}

const living = (session: Session | undefined): Session | undefined =>
  session !== undefined && isLiving({ pid: session.pid, started: session.procStart ?? "" }) ? session : undefined;

const follow = follower(most, followTurns, (turns, line) => {
  const row = parse(line);
  if (row !== undefined) turns.read(row);
});
