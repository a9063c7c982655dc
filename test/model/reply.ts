export interface Usage {
  input: number;
  output: number;
}

export type Deed =
  | { say: string }
  /** `also`: more calls in the same breath. */
  | { tool: string; args: Record<string, unknown>; also?: readonly { tool: string; args: Record<string, unknown> }[] }
  /** Says the text in `chunks` pieces (10 unless told) spread over `ms` milliseconds. */
  | { slow: string; ms: number; chunks?: number | undefined }
  /** Headers and the first event, then nothing until the client goes. */
  | { hang: true }
  | {
      error: number;
      retryAfter?: number | undefined;
      message?: string | undefined;
      /** What else a provider says with it: when a limit ends. */
      headers?: Record<string, string> | undefined;
      /** More fields of the error, as a provider's own limits have them. */
      details?: Readonly<Record<string, unknown>> | undefined;
    };

/** What the model does with one request. Without `usage` the size of the request and of the reply is estimated. */
export type Reply = Deed & { usage?: Usage | undefined };

export type ReplyKind = "say" | "tool" | "slow" | "hang" | "error";

export function replyKind(reply: Reply): ReplyKind {
  if ("say" in reply) return "say";
  if ("tool" in reply) return "tool";
  if ("slow" in reply) return "slow";
  return "hang" in reply ? "hang" : "error";
}

/** The text of a reply in pieces, never cut inside a character. */
export function pieces(text: string, count: number): string[] {
  const characters = Array.from(text);
  const size = Math.max(1, Math.ceil(characters.length / Math.max(1, count)));
  const cut: string[] = [];
  for (let at = 0; at < characters.length; at += size) cut.push(characters.slice(at, at + size).join(""));
  return cut;
}

/** Four bytes a token: near enough for a harness to show a plausible context meter. */
export function estimateUsage(requestBytes: number, reply: Reply): Usage {
  const said =
    "say" in reply ? reply.say : "slow" in reply ? reply.slow : "tool" in reply ? JSON.stringify(reply.args) : "";
  return { input: Math.max(1, Math.ceil(requestBytes / 4)), output: Math.max(1, Math.ceil(said.length / 4)) };
}
