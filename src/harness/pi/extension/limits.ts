import { subscribe } from "node:diagnostics_channel";

/**
 * When the newest "too many requests" of a provider ends, in ms. Pi tells an extension of answers only, not of refusals,
 * so the channel is used on which Node's HTTP client reports the head of every response.
 */
export function watchLimits(): (now: number) => number | undefined {
  let until: number | undefined;
  subscribe("undici:request:headers", (message) => {
    try {
      const { response } = message as { response: { statusCode: number; headers: readonly Uint8Array[] } };
      if (response.statusCode === 429) until = limitEnd(response.headers.map(String), Date.now());
    } catch {
      // another shape in another version: then nothing is known
    }
  });
  // What is over belongs to an earlier refusal.
  return (now) => (until !== undefined && until > now ? until : undefined);
}

/** By the standard header (seconds, or a date) or its finer sister; `headers` are names and values in turn. */
export function limitEnd(headers: readonly string[], now: number): number | undefined {
  const value = (name: string) => {
    const at = headers.findIndex((word, index) => index % 2 === 0 && word.toLowerCase() === name);
    return at < 0 ? undefined : headers[at + 1];
  };
  const ms = Number(value("retry-after-ms") ?? Number.NaN);
  if (Number.isFinite(ms)) return now + ms;
  const after = value("retry-after");
  if (after === undefined) return undefined;
  const seconds = Number(after);
  const end = Number.isFinite(seconds) ? now + seconds * 1_000 : Date.parse(after);
  return Number.isNaN(end) ? undefined : end;
}
