import type { ServerResponse } from "node:http";
import { setTimeout as pause } from "node:timers/promises";

import type { Wire } from "./ask.ts";
import type { Incoming } from "./read.ts";
import { estimateUsage, pieces } from "./reply.ts";
import type { Reply } from "./reply.ts";
import { anthropicVoice } from "./voice-anthropic.ts";
import { chatVoice } from "./voice-chat.ts";
import { responsesVoice } from "./voice-responses.ts";
import type { Opening, Voice } from "./voice.ts";

const voices: Record<Wire, (opening: Opening) => Voice> = {
  "anthropic-messages": anthropicVoice,
  "openai-responses": responsesVoice,
  "openai-completions": chatVoice,
};

/** Carries out one reply on an open response. Rejects with the signal's reason when the client goes first. */
export async function tell(
  response: ServerResponse,
  reply: Reply,
  asked: Incoming & { bytes: number },
  gone: AbortSignal,
): Promise<void> {
  const { ask, stream, includeUsage } = asked;
  if ("error" in reply) {
    const message = reply.message ?? `Scripted error ${reply.error}`;
    sendError(response, ask.wire, reply.error, message, reply);
    return;
  }
  const voice = voices[ask.wire]({ ask, usage: reply.usage ?? estimateUsage(asked.bytes, reply), includeUsage });
  // The voice keeps what it said, so a client that does not stream gets it all at the end.
  const put = (said: string): void => {
    if (stream) response.write(said);
  };

  response.writeHead(200, { "content-type": stream ? "text/event-stream; charset=utf-8" : "application/json" });
  response.flushHeaders();
  put(voice.open());
  if ("hang" in reply) {
    await left(gone);
  } else if ("slow" in reply) {
    const cut = pieces(reply.slow, reply.chunks ?? 10);
    for (const piece of cut) {
      await pause(reply.ms / cut.length, undefined, { signal: gone });
      put(voice.say(piece));
    }
    // An empty text still takes its time.
    if (cut.length === 0) await pause(reply.ms, undefined, { signal: gone });
  } else if ("tool" in reply) for (const { tool, args } of [reply, ...(reply.also ?? [])]) put(voice.call(tool, args));
  else for (const piece of pieces(reply.say, 4)) put(voice.say(piece));
  response.end(stream ? voice.close() : JSON.stringify(voice.whole()));
}

function left(gone: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    const leave = (): void => reject(new Error("the client went"));
    if (gone.aborted) leave();
    else gone.addEventListener("abort", leave, { once: true });
  });
}

const errorTypes: Record<number, string> = {
  400: "invalid_request_error",
  401: "authentication_error",
  403: "permission_error",
  404: "not_found_error",
  413: "request_too_large",
  429: "rate_limit_error",
  529: "overloaded_error",
};

export function sendError(
  response: ServerResponse,
  wire: Wire | undefined,
  status: number,
  message: string,
  { retryAfter, details, headers }: Pick<Extract<Reply, { error: number }>, "retryAfter" | "details" | "headers"> = {},
): void {
  const type = errorTypes[status] ?? (status < 500 ? "invalid_request_error" : "api_error");
  const body =
    wire === "anthropic-messages"
      ? { type: "error", error: { type, message, ...details } }
      : { error: { message, type, param: null, code: type, ...details } };
  sendJson(response, status, body, {
    ...(retryAfter !== undefined && { "retry-after": String(retryAfter) }),
    ...headers,
  });
}

export function sendJson(
  response: ServerResponse,
  status: number,
  body: object,
  headers: Record<string, string> = {},
): void {
  response.writeHead(status, { "content-type": "application/json", ...headers });
  response.end(JSON.stringify(body));
}
