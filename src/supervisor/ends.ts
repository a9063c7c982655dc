import type { AgentPlace } from "../contract/home.ts";
import { isGone, machineRun } from "../lib/proc.ts";
import { until } from "../lib/wait.ts";
import { afterCrash, longestWaitMs } from "./crashes.ts";
import { readExit, readRun, writeRecord, type UnitRecord } from "./records.ts";

/** Told of every start, end, restart and hold. */
export type Tell = (event: { agent: string; event: string; note?: string }) => void;

/**
 * Counts the end of the last launch, where it was nobody's wish and is not counted yet, and says what is known after it.
 * It becomes durable knowledge first, and only then is acted on. Needs the record's lock.
 */
export async function countEnd(of: {
  name: string;
  place: AgentPlace;
  record: UnitRecord;
  now: number;
  tell: Tell;
}): Promise<UnitRecord> {
  const { name, place, record, now, tell } = of;
  if (record.counted === record.launchedAt) return record;
  const counted = record.launchedAt;
  // Where the whole machine went down, no agent ended by itself.
  if (record.boot !== undefined && record.boot !== machineRun()) {
    const next = { ...record, counted, nextAt: undefined };
    writeRecord(place, next);
    return next;
  }
  const crashes = [...record.crashes.filter((time) => time <= now), now].slice(-20);
  // The wrapper keeps the last screen before it says the exit code; its own end is the sign that all is said.
  const wrapper = readRun(place)?.wrapper;
  await until(() => (wrapper === undefined || isGone(wrapper) ? true : undefined), { withinMs: 2_000, everyMs: 5 });
  const exit = readExit(place);
  const verdict = afterCrash(crashes, { code: exit?.code, rule: record.restart });
  const next: UnitRecord = {
    ...record,
    crashes,
    counted,
    nextAt: verdict.do === "restart" ? now + verdict.afterMs : undefined,
    ...(verdict.do === "quarantine" && { quarantined: { at: now, why: verdict.why } }),
    ...(verdict.do === "leave" && { finished: true }),
  };
  writeRecord(place, next);
  tell({ agent: name, event: "ended", note: exit ? `exit code ${exit.code}` : "it left no exit code" });
  if (verdict.do === "quarantine") tell({ agent: name, event: "quarantined", note: verdict.why });
  if (verdict.do === "leave") tell({ agent: name, event: "left", note: verdict.why });
  return next;
}

/** True where it should run and nothing holds it back for good. */
export const isWanted = (record: UnitRecord | undefined): record is UnitRecord =>
  record?.want === "up" && record.quarantined === undefined && !record.finished;

/** Still waiting for its next try. A time far ahead is a clock that was set back, and waits for nobody. */
export const isEarly = ({ nextAt }: UnitRecord, now: number): boolean =>
  nextAt !== undefined && nextAt > now && nextAt - now <= longestWaitMs;

/** The record of an agent that a person starts: what it did before is forgiven, and its last end is no crash. */
export function forgiven(record: UnitRecord): UnitRecord {
  return {
    ...record,
    want: "up",
    crashes: [],
    counted: record.launchedAt,
    quarantined: undefined,
    nextAt: undefined,
    finished: false,
  };
}

/** The record as it is once a launch has begun. */
export const launchedNow = (record: UnitRecord, now: number): UnitRecord => ({
  ...record,
  nextAt: undefined,
  finished: false,
  asked: undefined,
  launchedAt: now,
  boot: machineRun(),
});

/** The record of an agent that is to stay stopped. */
export const atRest = (record: UnitRecord): UnitRecord => ({ ...forgiven(record), want: "down", asked: undefined });
