import { agentStates } from "../contract/state-names.ts";
import type { AgentState } from "../contract/state.ts";
import type { BeatReading } from "./beat.ts";

/** Everything known of one agent at one moment. Facts only; what follows from them is derived, and never stored. */
export interface Facts {
  unit: {
    wanted: "up" | "down" | "never";
    process: "alive" | "frozen" | "none";
    pid: number | undefined;
    since: number | undefined;
    exit: { code: number; at: number } | undefined;
    nextAt: number | undefined;
    launching?: boolean;
    quarantined: { at: number; why: string } | undefined;
    readable: boolean;
  };
  beat: BeatReading;
  /** The harness's own answer, asked now. Undefined: this harness cannot be asked. */
  native:
    | { kind: "state"; state: AgentState; at: number; pid: number; why?: string; until?: number; takes?: true }
    | { kind: "silent"; waitedMs: number }
    | { kind: "absent" }
    | undefined;
}

/** How long a harness may take from its process to its first own word; later, its silence is not a start any more. */
export const startGraceMs = 60_000;

/** One rung of the ladder: what a source says, and since when. `decides` is the first that settles it. */
export interface Rung {
  source: "supervisor" | "process" | "native" | "beat" | "none";
  state: AgentState | undefined;
  at: number | undefined;
  note: string;
}

export interface Derived {
  state: AgentState;
  /** What it waits for, or what failed; and when a limit ends: by the source that decided. */
  why: string | undefined;
  until: number | undefined;
  decided: Rung;
  /** What else was known and did not decide. */
  others: Rung[];
}

/**
 * The evidence ladder: supervisor and process first, since a dead process refutes every other word; then the harness's
 * own answer, then its beat; a bare process says no more than that it runs. Where nothing can be said: unknown.
 */
export function derive(facts: Facts, now: number): Derived {
  const known = [unitRung, processRung, nativeRung, beatRung]
    .map((rung) => rung(facts, now))
    .filter((rung) => rung !== undefined);
  const decided = known.find((rung) => rung.state !== undefined) ??
    lastRung(facts, now) ?? {
      source: "none",
      state: "unknown",
      at: undefined,
      note: "nothing is known",
    };
  const said = decided.source === "native" && facts.native?.kind === "state" ? facts.native : undefined;
  return {
    state: decided.state ?? "unknown",
    why: said?.why,
    until: said?.until,
    decided,
    others: known.filter((rung) => rung !== decided),
  };
}

function unitRung({ unit }: Facts, now: number): Rung | undefined {
  const says = (state: AgentState | undefined, note: string, at = now): Rung => ({
    source: "supervisor",
    state,
    at,
    note,
  });
  if (!unit.readable) return says("unknown", "the supervisor's record cannot be read");
  if (unit.process !== "none") {
    if (unit.wanted === "down") return says("draining", "it was told to stop and is still there");
    return says(undefined, unit.wanted === "up" ? "asked to be up" : "not started by this fleet");
  }
  if (unit.quarantined) return says("dead", `held: ${unit.quarantined.why}`, unit.quarantined.at);
  if (unit.wanted === "never") return says("stopped", "never started");
  if (unit.wanted === "down") return says("stopped", `stopped${exitNote(unit)}`, unit.exit?.at ?? now);
  return says(
    undefined,
    unit.nextAt === undefined
      ? "asked to be up"
      : `next try in ${Math.max(0, Math.ceil((unit.nextAt - now) / 1_000))} s`,
  );
}

function processRung({ unit }: Facts, now: number): Rung | undefined {
  if (unit.process === "frozen")
    return {
      source: "process",
      state: "unknown",
      at: now,
      note: `process ${unit.pid} is frozen (stopped by a signal)`,
    };
  if (unit.process === "alive")
    return { source: "process", state: undefined, at: now, note: `process ${unit.pid} lives` };
  if (unit.launching) return { source: "process", state: "starting", at: now, note: "it is being launched" };
  return { source: "process", state: "dead", at: unit.exit?.at ?? now, note: `no process${exitNote(unit)}` };
}

function nativeRung({ native, unit }: Facts, now: number): Rung | undefined {
  if (native === undefined) return undefined;
  if (native.kind === "silent")
    return {
      source: "native",
      state: "unknown",
      at: now,
      note: `the harness does not answer (waited ${native.waitedMs} ms)`,
    };
  if (native.kind === "absent")
    return { source: "native", state: undefined, at: now, note: "the harness does not listen" };
  // An answer of an earlier process of the same agent says nothing about this one.
  if (native.pid !== unit.pid)
    return { source: "native", state: undefined, at: native.at, note: `another process (${native.pid}) answered` };
  return {
    source: "native",
    state: native.state,
    at: now,
    note: `the harness says so, since ${new Date(native.at).toISOString()}${native.why === undefined ? "" : `: ${native.why}`}`,
  };
}

function beatRung({ beat, unit, native }: Facts, now: number): Rung | undefined {
  if (beat.health === "unknown") return { source: "beat", state: undefined, at: undefined, note: "no beat" };
  const at = now - beat.ageMs;
  const says = (state: AgentState | undefined, note: string): Rung => ({ source: "beat", state, at, note });
  const seconds = Math.round(beat.ageMs / 1_000);
  if (beat.beat.pid !== unit.pid) return says(undefined, `its beat is of another process (${beat.beat.pid})`);
  if (beat.health === "stale")
    return says(native === undefined ? undefined : "unknown", `its last beat is ${seconds} s old`);
  const said = agentStates.find((state) => state === beat.beat.state);
  return says(native === undefined ? undefined : said, `beat ${seconds} s ago${said ? `: ${said}` : ""}`);
}

function lastRung({ unit, native }: Facts, now: number): Rung | undefined {
  if (unit.process !== "alive") return undefined;
  if (native === undefined)
    return { source: "process", state: "running", at: now, note: "it lives, and nothing tells more" };
  const age = now - (unit.since ?? 0);
  if (age < startGraceMs)
    return {
      source: "process",
      state: "starting",
      at: now,
      note: `up for ${Math.round(age / 1_000)} s, no word of its own yet`,
    };
  return { source: "none", state: "unknown", at: undefined, note: "it lives and says nothing of itself" };
}

const exitNote = (unit: Facts["unit"]): string =>
  unit.exit === undefined ? "" : `, its exit code was ${unit.exit.code}`;
