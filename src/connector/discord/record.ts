import type { Inbound, Verdict } from "../connector.ts";
import type { Listening } from "./account.ts";
import type { Session } from "./gateway.ts";
import { cursorKey, readProgress } from "./progress.ts";
import type { Progress } from "./progress.ts";

const newer = (most: bigint, { order }: { order: bigint }) => (order > most ? order : most);

/** What is stored of an account, how far that is all there was, and which of its chats may be handed on. */
export interface Heard {
  progress(): Progress | undefined;
  /** The order of the newest thing that is stored. */
  newest(): bigint;
  /** The chats of which something could be missing. */
  chats(): ReadonlySet<string>;
  session(): Session | undefined;
  /** The session whose events come in from now on; undefined where it was lost. */
  follow(session: Session | undefined): void;
  /** Where hearing begins in places where we have never been. */
  beginAt(start: Progress["start"]): void;
  /** Stores rows and progress as one; throws, and then nothing is stored. */
  keep(rows: readonly Inbound[], sequence?: number): Verdict[];
  /** An event that left no row, or whose rows are stored. */
  passed(sequence: number): void;
  /** Writes down how far the session is, where events left no row. */
  flush(): void;
  isBehind(): boolean;
  /** Something is missing: what comes in is stored, and nothing is handed on. */
  fallBehind(): void;
  /** Nothing is missing any more. */
  catchUp(): void;
  /** Nothing is missing of what is known to be there. */
  releaseAll(): void;
}

/**
 * While something is missing the session is not kept, so that a crash then leads to fetching it again and not to a RESUME
 * past it.
 */
export function recordOf({ intake, wiring }: Pick<Listening, "intake" | "wiring">): Heard {
  let progress = readProgress(intake.cursor(cursorKey));
  let current: Session | undefined = progress?.session;
  let newest = BigInt(progress?.since ?? "0");
  let behind = false;
  let isUnsaved = false;
  /** Chats whose order is known, so that what comes in is handed on. */
  const released = new Set<string>();
  const held = new Set<string>();
  /** Chats in which somebody spoke who may. */
  const seen = new Set<string>();

  const chats = () => new Set([...wiring.channels, ...intake.known().keys(), ...seen]);

  function hold(chat: string): void {
    released.delete(chat);
    held.add(chat);
    intake.hold(chat);
  }

  function release(chat: string): void {
    held.delete(chat);
    released.add(chat);
    intake.release(chat);
  }

  /** The progress that is true once `sequence` and `rows` are stored. */
  function advanced(known: Progress, sequence: number | undefined, rows: readonly Inbound[]): Progress {
    if (behind || current === undefined) return { since: known.since, start: known.start };
    return {
      session: { ...current, sequence: Math.max(current.sequence, sequence ?? 0) },
      since: String(rows.reduce(newer, newest)),
      start: known.start,
    };
  }

  function keep(rows: readonly Inbound[], sequence?: number): Verdict[] {
    if (progress === undefined) throw new Error("Nothing is heard before the start is known.");
    const next = advanced(progress, sequence, rows);
    // A chat nobody knew of is held by nobody yet, and may have more to be fetched.
    if (behind) for (const row of rows) hold(row.chat);
    const verdicts = intake.admit(rows, { key: cursorKey, value: JSON.stringify(next) });
    progress = next;
    isUnsaved = false;
    for (const [nth, row] of rows.entries()) {
      newest = newer(newest, row);
      if (verdicts[nth] === "refused") continue;
      seen.add(row.chat);
      if (!behind && !released.has(row.chat)) release(row.chat);
    }
    return verdicts;
  }

  return {
    progress: () => progress,
    newest: () => newest,
    chats,
    session: () => current,
    follow: (session) => {
      current = session;
    },
    beginAt(start) {
      if (progress === undefined) {
        newest = Object.values(start).reduce((most, id) => newer(most, { order: BigInt(id) }), 0n);
      }
      progress = { ...(progress ?? { since: String(newest) }), start };
      keep([]);
    },
    keep,
    passed(sequence) {
      if (current !== undefined) current.sequence = Math.max(current.sequence, sequence);
      isUnsaved = true;
    },
    flush() {
      if (isUnsaved && !behind) keep([]);
    },
    isBehind: () => behind,
    fallBehind() {
      behind = true;
      for (const chat of new Set([...chats(), ...released])) hold(chat);
      keep([]);
    },
    catchUp() {
      behind = false;
      keep([], current?.sequence);
      for (const chat of new Set([...chats(), ...held])) release(chat);
    },
    releaseAll() {
      for (const chat of chats()) release(chat);
    },
  };
}
