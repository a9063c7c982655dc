import { table } from "../src/lib/text.ts";

/** What must hold: of the ratio to bare node, the median or the largest sample. */
interface Goal {
  of: "ratio" | "median" | "max";
  atMost: number;
  atLeast?: number | undefined;
}

/** One thing measured, with every sample; without any, the note says why. */
export interface Row {
  what: string;
  unit: "ms" | "MB" | "%" | "";
  samples: readonly number[];
  /** The floor's median, where the row is compared with it. */
  floor?: number | undefined;
  goal?: Goal | undefined;
  note?: string | undefined;
}

/** A row as it is reported. `median`, `min` and `max` are null where nothing was measured. */
export interface Judged {
  what: string;
  unit: Row["unit"];
  samples: number;
  median: number | null;
  min: number | null;
  max: number | null;
  ratio: number | null;
  goal: Goal | null;
  verdict: "met" | "missed" | "no goal" | "not measured";
  note: string | null;
}

export function median(samples: readonly number[]): number {
  const sorted = samples.toSorted((a, b) => a - b);
  const half = sorted.length / 2;
  return ((sorted[Math.ceil(half) - 1] ?? NaN) + (sorted[Math.floor(half)] ?? NaN)) / 2;
}

export function judge({ what, unit, samples, floor, goal, note }: Row): Judged {
  const base = { what, unit, samples: samples.length, goal: goal ?? null, note: note ?? null };
  if (samples.length === 0)
    return { ...base, median: null, min: null, max: null, ratio: null, verdict: "not measured" };
  const found = { median: median(samples), min: Math.min(...samples), max: Math.max(...samples) };
  const ratio = floor === undefined ? null : found.median / floor;
  if (goal === undefined) return { ...base, ...found, ratio, verdict: "no goal" };
  const value = goal.of === "ratio" ? (ratio ?? NaN) : found[goal.of];
  const met = value <= goal.atMost && value >= (goal.atLeast ?? -Infinity);
  return { ...base, ...found, ratio, verdict: met ? "met" : "missed" };
}

/** The table that people see. */
export function renderRows(rows: readonly Judged[]): string {
  const head = ["", "MEDIAN", "MIN", "MAX", "× NODE", "GOAL", ""];
  return table([
    head,
    ...rows.map((row) => [
      row.what,
      ...[row.median, row.min, row.max].map((value) => amount(value, row.unit)),
      row.ratio === null ? "-" : row.ratio.toFixed(2),
      row.goal === null ? "-" : renderGoal(row.goal, row.unit),
      row.note === null ? row.verdict : `${row.verdict}: ${row.note}`,
    ]),
  ]);
}

function amount(value: number | null, unit: Row["unit"]): string {
  if (value === null) return "-";
  return unit === "" ? String(value) : `${value.toFixed(unit === "ms" ? 1 : 2)} ${unit}`;
}

function renderGoal({ of, atMost, atLeast }: Goal, unit: Row["unit"]): string {
  if (of === "ratio") return `≤ ${atMost} × node`;
  return `${of} ${atMost === atLeast ? "=" : "≤"} ${atMost}${unit === "" ? "" : ` ${unit}`}`;
}
