import { isSnowflake, snowflakeAt, timeOf } from "./inbound.ts";

/** How far we have heard, as it is kept beside the rows. */
export interface Progress {
  /** The session to resume; only while nothing that came before its last event is missing. */
  session?: { id: string; url: string; sequence: number };
  /** Everything up to this id is stored, in every place. */
  since: string;
  /** The newest message of each place when we first came: what is older is none of our business. */
  start: Record<string, string>;
}

export const cursorKey = "discord";

export function readProgress(text: string | undefined): Progress | undefined {
  if (text === undefined) return undefined;
  try {
    const { session, since, start } = JSON.parse(text) as Partial<Progress>;
    if (!isSnowflake(since)) return undefined;
    const kept = { since, start: start ?? {} };
    return session === undefined ? kept : { ...kept, session };
  } catch {
    return undefined;
  }
}

/** Two channels' messages may reach us out of the order of their ids, by this much. */
const skewMs = 30_000;

/** The id after which anything may be missing. */
export const missedAfter = ({ since }: Progress): bigint => snowflakeAt(timeOf(BigInt(since)) - skewMs);

/** The id after which a place is fetched. What was heard already is known to the core, so rather too much than too little. */
export function fetchAfter(progress: Progress, place: string): bigint {
  const since = missedAfter(progress);
  const least = BigInt(progress.start[place] ?? "0");
  return least > since ? least : since;
}
