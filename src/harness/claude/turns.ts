import type { Trace } from "../harness.ts";
import { isInterruption, textOf, type Row } from "./transcript.ts";

/** How many messages of one conversation are remembered; asked for are those that were handed over lately. */
const most = 5_000;

/** One turn: everything from the message that caused it to its end. What arrives in the middle belongs to it. */
export interface Turn {
  /** Claude Code's own id of what caused it: its hooks name it too. */
  prompt: string | undefined;
  /** The messages in it. */
  has: Arrival[];
  /** When it was last heard of, in ms since 1970. */
  lastAt: number;
  /** The agent's newest words in it, and of which answer they are. */
  text: string;
  answer: string | undefined;
  /** How the newest answer ended, by the model: `tool_use` goes on. */
  stop: string | undefined;
  end?: NonNullable<Trace["end"]>;
}

interface Arrival {
  at: number | undefined;
  acted: boolean;
  turn: Turn;
}

/** Follows a conversation row by row and knows of each message in which turn it was read and how that ended. */
export interface Turns {
  read(row: Row): void;
  /** By the id of a message, or by that of a prompt which a message caused. */
  find(id: string): Arrival | undefined;
}

export function followTurns(): Turns {
  const arrivals = new Map<string, Arrival>();
  /** When messages were taken into a running turn: the row that holds them says only since when they waited. */
  const absorbed = new Map<string, number>();
  let turn: Turn | undefined;

  const enter = (id: string | undefined, at: number | undefined, into: Turn) => {
    const arrival = { at, acted: false, turn: into };
    into.has.push(arrival);
    if (id === undefined) return;
    arrivals.set(id, arrival);
    const [oldest] = arrivals.keys();
    if (arrivals.size > most && oldest !== undefined) arrivals.delete(oldest);
  };

  function begin(row: Row): void {
    const at = timeOf(row);
    // Several that waited are read in one breath: nothing was said between them.
    const joins = turn !== undefined && turn.end === undefined && turn.has.every((one) => !one.acted);
    if (!joins && turn?.end === undefined && turn !== undefined) {
      turn.end = isComplete(turn) ? answered(turn) : cutOff;
    }
    if (!joins || turn === undefined) {
      turn = { prompt: row.promptId, has: [], lastAt: 0, text: "", answer: undefined, stop: undefined };
    }
    turn.lastAt = at ?? turn.lastAt;
    enter(row.uuid, at, turn);
    const arrival = turn.has.at(-1);
    if (row.promptId !== undefined && arrival !== undefined) arrivals.set(row.promptId, arrival);
  }

  function answer(row: Row, to: Turn): void {
    if (row.isApiErrorMessage === true) {
      to.end = { kind: "broken", why: textOf(row) || (row.error ?? "the request failed") };
      return;
    }
    // What a resumed Claude Code puts where a killed one had left the answer open.
    if (row.message?.model === "<synthetic>") {
      to.end ??= cutOff;
      return;
    }
    delete to.end; // it goes on after all: a hook of the person's had an objection, or a failure was mended
    for (const one of to.has) one.acted = true;
    const text = textOf(row);
    // One answer is written down in several rows.
    if (text !== "") to.text = row.message?.id !== undefined && row.message.id === to.answer ? to.text + text : text;
    if (text !== "") to.answer = row.message?.id;
    to.stop = row.message?.stop_reason ?? undefined;
  }

  return {
    find: (id) => arrivals.get(id),
    read(row) {
      if (row.isSidechain === true) return;
      if (row.type === "queue-operation") {
        const at = timeOf(row);
        if (row.commandUuid !== undefined && at !== undefined) absorbed.set(row.commandUuid, at);
        return;
      }
      if (row.type === "user" && beginsTurn(row)) return begin(row);
      if (turn === undefined) return;
      turn.lastAt = timeOf(row) ?? turn.lastAt;
      if (row.type === "assistant") answer(row, turn);
      else if (row.type === "user" && isInterruption(row)) turn.end ??= { kind: "broken", why: "interrupted" };
      else if (row.type === "attachment" && row.attachment?.source_uuid !== undefined) {
        const id = row.attachment.source_uuid;
        enter(id, absorbed.get(id) ?? timeOf(row), turn);
        absorbed.delete(id);
      } else if (row.subtype === "turn_duration" && turn.has.some((one) => one.acted)) {
        turn.end ??= answered(turn, timeOf(row));
      }
    },
  };
}

export const cutOff = { kind: "broken", cut: true, why: "Claude Code ended before it had answered" } as const;

/** True where the model has said all that it had to say, though nobody wrote down that the turn is over. */
export const isComplete = ({ has, stop }: Turn): boolean =>
  has.some((one) => one.acted) && stop !== undefined && stop !== "tool_use" && stop !== "pause_turn";

export const answered = (turn: Turn, at = turn.lastAt): NonNullable<Trace["end"]> => ({
  kind: "answered",
  text: turn.text,
  ...(at > 0 && { at }),
});

/** What somebody said: not a tool's result, not the note of an interruption, not what Claude Code itself puts there. */
function beginsTurn(row: Row): boolean {
  if (row.isCompactSummary === true || (row.isMeta === true && row.origin?.kind !== "peer")) return false;
  const content = row.message?.content ?? "";
  if (typeof content !== "string" && content.some((part) => part.type === "tool_result")) return false;
  return !isInterruption(row) && !/^\s*<(local-command|command-name)/.test(textOf(row));
}

function timeOf({ timestamp }: Row): number | undefined {
  const at = Date.parse(timestamp ?? "");
  return Number.isNaN(at) ? undefined : at;
}
