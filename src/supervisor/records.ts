import { readFileSync, statSync } from "node:fs";

import type { Limits } from "../contract/agent.ts";
import type { AgentPlace } from "../contract/home.ts";
import { writeAtomic } from "../lib/atomic.ts";
import { systemCode } from "../lib/errors.ts";
import { processOf } from "../lib/proc.ts";
import type { SupervisorKind } from "./supervisor.ts";

/** What is durably known of one agent, whichever supervisor keeps it: what was asked, and its crashes. */
export interface UnitRecord {
  want: "up" | "down";
  /** Which supervisor started it last. */
  by: SupervisorKind;
  restart: "always" | "on-failure" | "never";
  limits?: Limits | undefined;
  restarts: number;
  crashes: number[];
  /** The launch (its `launchedAt`) whose end was last counted or wished for, so that no crash counts twice. */
  counted: number | undefined;
  nextAt: number | undefined;
  quarantined: { at: number; why: string } | undefined;
  /** When the last launch began, and during which run of the machine. */
  launchedAt?: number;
  boot?: string;
  /** A start was asked for, and systemd has not taken it up yet. */
  asked?: true | undefined;
  /** Set once it ended and its rule says to leave it. */
  finished: boolean;
}

export const newRecord = (restart: UnitRecord["restart"]): UnitRecord => ({
  want: "down",
  by: "builtin",
  restart,
  restarts: 0,
  crashes: [],
  counted: undefined,
  nextAt: undefined,
  quarantined: undefined,
  finished: false,
});

/** Undefined where there is none; throws where it cannot be read, since that is not the same. */
export function readRecord(place: AgentPlace): UnitRecord | undefined {
  try {
    const record = JSON.parse(readFileSync(place.unit, "utf8")) as Partial<UnitRecord> | null;
    if ((record?.want !== "up" && record?.want !== "down") || !Array.isArray(record.crashes)) {
      throw new SyntaxError(`${place.unit} is no record of ours`);
    }
    return { by: "builtin", ...record } as UnitRecord;
  } catch (error) {
    if (systemCode(error) === "ENOENT") return undefined;
    throw error;
  }
}

/** For whoever says what is wanted now: a record that cannot be understood says nothing, and is replaced. */
export function readRecordOrNone(place: AgentPlace): UnitRecord | undefined {
  try {
    return readRecord(place);
  } catch (error) {
    if (error instanceof SyntaxError || systemCode(error) === "EISDIR") return undefined;
    throw error;
  }
}

export const writeRecord = (place: AgentPlace, record: UnitRecord): void =>
  writeAtomic(place.unit, `${JSON.stringify(record)}\n`);

/** The processes of the last launch, by the launch wrapper's own word. */
export interface Run {
  pid: number;
  started: string;
  /** The wrapper that waits for the agent, and the terminal server above it. */
  wrapper: number;
  server: number;
  at: number;
}

export function readRun(place: AgentPlace): Run | undefined {
  try {
    const fields = readFields(place.pid);
    const run = {
      pid: Number(fields.get("pid")),
      started: fields.get("start") ?? "",
      wrapper: Number(fields.get("wrapper")),
      server: Number(fields.get("server")),
      at: statSync(place.pid).mtimeMs,
    };
    return run.pid > 0 ? run : undefined;
  } catch {
    return undefined;
  }
}

/** Writes what the launch wrapper wrote, where that was lost. */
export const writeRun = (place: AgentPlace, run: Run): void =>
  writeAtomic(place.pid, `pid=${run.pid}\nstart=${run.started}\nwrapper=${run.wrapper}\nserver=${run.server}\n`);

/** Names a run: another process is another run. */
export const keyOf = (run: Run | undefined): string => (run ? `${run.pid}:${run.started}` : "none");

/** `alive`, `frozen` or `none`. A zombie is none. */
export function processState(run: Run | undefined): "alive" | "frozen" | "none" {
  const found = run && processOf(run.pid);
  if (found === undefined || found.state === "zombie" || found.started !== run?.started) return "none";
  return found.state;
}

export function readExit(place: AgentPlace): { code: number; at: number } | undefined {
  try {
    const code = Number(readFields(place.exit).get("code"));
    return Number.isInteger(code) ? { code, at: statSync(place.exit).mtimeMs } : undefined;
  } catch {
    return undefined;
  }
}

function readFields(path: string): Map<string, string> {
  const lines = readFileSync(path, "utf8").split("\n");
  return new Map(lines.map((line) => [line.slice(0, line.indexOf("=")), line.slice(line.indexOf("=") + 1)]));
}
