import { systemCode } from "../../lib/errors.ts";

/**
 * What one request came to, sorted by what follows from it. `ok`: done, `at` by Discord's clock, and for `restMs` there is no
 * room for another of its kind. `later`: not done, with `wholeAccount` since nothing of the bot is taken just now. `never`: refused for good.
 * `unknown`: it may have been done.
 */
export type Answer =
  | { kind: "ok"; body: unknown; restMs?: number | undefined; at?: number | undefined }
  | { kind: "later"; why: string; afterMs?: number | undefined; wholeAccount?: boolean | undefined }
  | { kind: "never"; why: string; status: number }
  | { kind: "unknown"; why: string };

export interface Ask {
  method: "GET" | "POST" | "PATCH" | "PUT";
  path: string;
  body?: unknown;
  form?: FormData;
}

/** One request, once. Rate limits, faults and retries are whoever asks' own. */
export type Rest = (ask: Ask, signal: AbortSignal) => Promise<Answer>;

export const discordApi = "https://discord.com/api";
const mostBytes = 16 * 1024 * 1024;

/** What to do about Discord's own error codes. */
const remedies: Record<number, string> = {
  10003: "The channel's id is wrong, or the channel is gone.",
  10008: "That message is gone.",
  30010: "The message has too many different reactions.",
  40005: "The file is larger than that server takes.",
  50001: "Let the bot see that channel: channel settings, Permissions, View Channel.",
  50007: "That person takes no direct messages from the bot.",
  50013: "Give the bot's role that right in the server's settings.",
  50083: "The thread is archived; reopen it.",
};

/** Speaks to the API at that address. The token goes into one header and nowhere else. */
export function restOf(base: string, token: string): Rest {
  const root = `${base.replace(/\/+$/, "")}/v10`;
  // Where it is not Discord's own the address is what may be wrong.
  const whom = base === discordApi ? "Discord" : `Discord at ${base}`;
  /** No text of ours holds the token, not even where a server quotes it. */
  const clean = (text: string) => (token === "" ? text : text.replaceAll(token, "[token]"));

  return async (ask, signal) => {
    if (signal.aborted) return { kind: "later", why: "It was stopped before it was sent." };
    const headers: Record<string, string> = {
      authorization: `Bot ${token}`,
      "user-agent": "DiscordBot (https://www.npmjs.com/package/mosaic-fleet, 1)",
    };
    if (ask.body !== undefined) headers["content-type"] = "application/json";
    let response: Response;
    let text: string;
    try {
      response = await fetch(root + ask.path, {
        method: ask.method,
        headers,
        body: ask.form ?? (ask.body === undefined ? null : JSON.stringify(ask.body)),
        signal,
        redirect: "manual",
      });
      text = new TextDecoder().decode(await readAtMost(response, mostBytes));
    } catch (error) {
      return lost(error, signal, whom);
    }
    return sortAnswer(response, text, { clean, whom });
  };
}

/** A body of at most that many bytes; undefined bytes are never kept in memory. */
export async function readAtMost(response: Response, bytes: number): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  let size = 0;
  for await (const part of (response.body ?? []) as AsyncIterable<Uint8Array>) {
    size += part.byteLength;
    if (size > bytes) throw new RangeError(`It is larger than ${bytes} bytes.`);
    parts.push(part);
  }
  return Buffer.concat(parts);
}

function sortAnswer(
  response: Response,
  text: string,
  { clean, whom }: { clean: (text: string) => string; whom: string },
): Answer {
  const { status } = response;
  const body = parse(text);
  if (status === 429) {
    const afterMs = longestWait(response, body);
    const why = "Discord's rate limit is reached.";
    return isOfAll(response, body)
      ? { kind: "later", why, afterMs, wholeAccount: true }
      : { kind: "later", why, afterMs };
  }
  if (status >= 500 || status === 408) return { kind: "later", why: `Discord has a fault of its own (${status}).` };
  if (response.ok) {
    if (body === undefined && status !== 204) {
      return { kind: "unknown", why: `Discord's answer (${status}) could not be read.` };
    }
    const restMs = roomAfterMs(response);
    const at = Date.parse(response.headers.get("date") ?? "");
    return { kind: "ok", body, ...(restMs !== undefined && { restMs }), ...(!Number.isNaN(at) && { at }) };
  }
  const refusal = (body ?? {}) as { message?: unknown; code?: unknown; errors?: unknown };
  const { code } = refusal;
  if (typeof code !== "number") {
    // A proxy, a block, a page to log in at: it says nothing of the message.
    return { kind: "later", why: `Something between here and ${whom} answered (${status}).` };
  }
  const words = [
    typeof refusal.message === "string" ? refusal.message : `it answered ${status}`,
    code === 0 ? "" : `(${code})`,
    firstReason(refusal.errors) ?? "",
  ];
  const said = words.filter((word) => word !== "").join(" ");
  const remedy = remedies[code];
  const why = clean(
    `Discord refuses: ${said}${/[.!?]$/.test(said) ? "" : "."}${remedy === undefined ? "" : ` ${remedy}`}`,
  );
  return { kind: "never", why, status };
}

function parse(text: string): unknown {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null ? value : undefined;
  } catch {
    return undefined;
  }
}

/** Header and body contradict each other at times; whoever waits for the longest is never too early. */
function longestWait(response: Response, body: unknown): number | undefined {
  const given = [
    (body as { retry_after?: unknown } | undefined)?.retry_after,
    response.headers.get("retry-after"),
    response.headers.get("x-ratelimit-reset-after"),
  ];
  const seconds = given.map((value) => (value === null || value === undefined ? 0 : Number(value)));
  const longest = Math.max(...seconds.map((value) => (Number.isFinite(value) ? value : 0)));
  return longest > 0 ? Math.ceil(longest * 1_000) : undefined;
}

/** Whether the bot as a whole has asked too much: by Discord's word, or, where the answer is none of Discord's, its address has. */
const isOfAll = ({ headers }: Response, body: unknown): boolean =>
  body === undefined ||
  (body as { global?: unknown }).global === true ||
  headers.get("x-ratelimit-global") === "true" ||
  headers.get("x-ratelimit-scope") === "global";

/** Until when the last request of its kind has used up all room, in ms; undefined where there is room. */
function roomAfterMs({ headers }: Response): number | undefined {
  if (headers.get("x-ratelimit-remaining") !== "0") return undefined;
  const seconds = Number(headers.get("x-ratelimit-reset-after"));
  return seconds > 0 && Number.isFinite(seconds) ? Math.ceil(Math.min(seconds, 60) * 1_000) : undefined;
}

/** The first reason in Discord's tree of form errors. */
function firstReason(tree: unknown): string | undefined {
  if (typeof tree !== "object" || tree === null) return undefined;
  const own = (tree as { _errors?: { message?: unknown }[] })._errors?.[0]?.message;
  if (typeof own === "string") return own;
  for (const branch of Object.values(tree)) {
    const found = firstReason(branch);
    if (found !== undefined) return found;
  }
  return undefined;
}

/** Of these it is certain that nothing was sent. */
const unsent = new Set([
  "ECONNREFUSED",
  "ENOTFOUND",
  "EAI_AGAIN",
  "ENETUNREACH",
  "EHOSTUNREACH",
  "UND_ERR_CONNECT_TIMEOUT",
]);

function lost(error: unknown, signal: AbortSignal, whom: string): Answer {
  if (signal.aborted) return { kind: "unknown", why: `${whom} did not answer in time.` };
  const code = systemCode(error instanceof Error ? error.cause : undefined) ?? "";
  if (unsent.has(code)) return { kind: "later", why: `${whom} cannot be reached (${code}).` };
  return { kind: "unknown", why: `The connection to ${whom} broke${code === "" ? "" : ` (${code})`}.` };
}
