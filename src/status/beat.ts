import { readFileSync } from "node:fs";

import { defaultBeatInterval, formatBeat, parseBeat, type Beat } from "../contract/beat.ts";
import { writeAtomic } from "../lib/atomic.ts";

/** The one place that knows where an agent's beat is. */
export const beatPath = (runDir: string, agent: string): string => `${runDir}/${agent}.hb`;

/** Seconds between beats: the environment's word if it is a sensible number, else the default. */
export function beatInterval(environment: string | undefined): number {
  const seconds = Number(environment);
  return Number.isFinite(seconds) && seconds > 0 ? seconds : defaultBeatInterval;
}

/** A beat as a reader sees it. */
export type BeatReading =
  | { health: "unknown"; beat?: undefined; ageMs?: undefined }
  | { health: "healthy" | "stale"; beat: Beat; ageMs: number };

/** The reader rule: healthy while no older than three of the intervals recorded in it. A beat from far ahead is a clock's fault. */
export function judgeBeat(beat: Beat | undefined, now: number): BeatReading {
  if (beat === undefined) return { health: "unknown" };
  const age = now - Date.parse(beat.ts);
  const limit = 3 * beat.interval * 1_000;
  return { health: Math.abs(age) <= limit ? "healthy" : "stale", beat, ageMs: Math.max(0, age) };
}

/** Reads a beat file; `unknown` where there is none or it cannot be read. */
export function readBeat(path: string, now: number, interval: number): BeatReading {
  try {
    return judgeBeat(parseBeat(readFileSync(path, "utf8"), interval), now);
  } catch {
    return { health: "unknown" };
  }
}

/** Writes a beat for an agent that cannot beat by itself. Not synced: a lost beat is a stale beat, which is true. */
export function writeBeat(path: string, beat: Beat): void {
  writeAtomic(path, formatBeat(beat), { mode: 0o644, durable: false });
}
