/** One heartbeat record: the public file contract, written by harness extensions and the daemon alike. */
export interface Beat {
  /** ISO 8601 with offset. */
  ts: string;
  pid: number;
  status: string;
  /** Seconds; recorded so that a reader needs no environment. */
  interval: number;
  state?: string | undefined;
  model?: string | undefined;
  session?: string | undefined;
  version?: string | undefined;
  context?: string | undefined;
}

/** Seconds between beats where nothing says otherwise. */
export const defaultBeatInterval = 15;

/** The beat as `key=value` lines. Values lose line breaks, so a model's name cannot forge a key. */
export function formatBeat(beat: Beat): string {
  return Object.entries(beat)
    .filter(([, value]) => value !== undefined && value !== "")
    .map(([key, value]) => `${key}=${String(value).replaceAll(/[\r\n\0]+/g, " ")}\n`)
    .join("");
}

/** Reads a beat; undefined where the text is not one (no time, or a half-written file of somebody else). */
export function parseBeat(text: string, fallbackInterval = defaultBeatInterval): Beat | undefined {
  const fields = new Map<string, string>();
  for (const line of text.split("\n")) {
    const at = line.indexOf("=");
    if (at > 0) fields.set(line.slice(0, at), line.slice(at + 1).trim());
  }
  const ts = fields.get("ts") ?? "";
  if (!/^\d{4}-\d\d-\d\dT.+(Z|[+-]\d\d:?\d\d)$/.test(ts) || Number.isNaN(Date.parse(ts))) return undefined;
  const interval = Number(fields.get("interval"));
  const optional = (key: string) => fields.get(key) || undefined;
  return {
    ts,
    pid: Number(fields.get("pid")) || 0,
    status: fields.get("status") ?? "",
    interval: interval > 0 ? interval : fallbackInterval,
    state: optional("state"),
    model: optional("model"),
    session: optional("session"),
    version: optional("version"),
    context: optional("context"),
  };
}
