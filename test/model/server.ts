import { createServer } from "node:http";
import type { IncomingMessage, ServerResponse } from "node:http";
import { brotliDecompressSync, gunzipSync, inflateSync, zstdDecompressSync } from "node:zlib";

import { sideRequest } from "./ask.ts";
import type { Ask, Wire } from "./ask.ts";
import { openLedger } from "./ledger.ts";
import type { Ledger, LoggedAsk, Outcome } from "./ledger.ts";
import { readAsk } from "./read.ts";
import { replyKind } from "./reply.ts";
import type { Reply } from "./reply.ts";
import { directiveScript } from "./script.ts";
import { sendError, sendJson, tell } from "./tell.ts";

/** A programmed answer, tried before the default script; the first rule whose `when` holds decides. */
interface Rule {
  when: (ask: Ask) => boolean;
  /** It is for requests that a harness makes for itself (a title, a summary), and for no others. */
  side?: true;
  /** The step is chosen by `ask.answered`; the last one repeats. */
  steps: ((ask: Ask) => Reply)[];
  /** Runs when a reply of this rule is over, however it ended: something to wait for instead of a sleep. */
  after?: (asked: LoggedAsk) => void;
}

export interface ScriptedModelOptions {
  /** Any free port unless told. */
  port?: number | undefined;
  rules?: Rule[] | undefined;
  /** A file that gets one JSON line for each request, written when the request is over. */
  log?: string | undefined;
  /** When set, requests without it (bearer token or x-api-key) get 401. */
  key?: string | undefined;
}

export interface ScriptedModel extends AsyncDisposable {
  readonly url: string;
  readonly port: number;
  /** Every request of a conversation in order of arrival; side requests are not among them. */
  asks(): readonly LoggedAsk[];
  /** Live: a rule pushed later holds from the next request. */
  readonly rules: Rule[];
  /** Cuts off whatever is still being said. */
  close(): Promise<void>;
}

const routes: Record<string, Wire> = {
  "/v1/messages": "anthropic-messages",
  "/v1/responses": "openai-responses",
  "/v1/chat/completions": "openai-completions",
};

/** A model on the loopback interface that says what its script tells it. */
export async function startScriptedModel(options: ScriptedModelOptions = {}): Promise<ScriptedModel> {
  const rules = options.rules ?? [];
  const ledger = openLedger(options.log);
  const script = directiveScript();
  let closing = false;

  function decide(ask: Ask): { reply: Reply; after?: Rule["after"] } {
    const rule = rules.find((candidate) => candidate.side === undefined && candidate.when(ask));
    const step = rule?.steps[Math.min(ask.answered, rule.steps.length - 1)];
    return step === undefined ? { reply: script(ask) } : { reply: step(ask), after: rule?.after };
  }

  async function converse(wire: Wire, raw: string, response: ServerResponse): Promise<void> {
    const incoming = readAsk(wire, raw);
    if (incoming === undefined) {
      ledger.line("unreadable", { wire });
      sendError(response, wire, 400, "The body is not a JSON object");
      return;
    }
    const { ask } = incoming;
    const asked = { ...incoming, bytes: Buffer.byteLength(raw) };
    const gone = new AbortController();
    response.once("close", () => gone.abort());
    const side = sideRequest(ask);
    if (side !== undefined) {
      const rule = rules.find((candidate) => candidate.side && candidate.when(ask));
      const said = rule?.steps[0]?.(ask) ?? { say: `Side request ${side}` };
      const outcome = await end(tell(response, said, asked, gone.signal), gone.signal);
      ledger.line("side", { ask, outcome });
      return;
    }
    const { reply, after } = decide(ask);
    const finish = ledger.begin(ask, replyKind(reply));
    const logged = finish(await end(tell(response, reply, asked, gone.signal), gone.signal));
    after?.(logged);
  }

  /** Waits for a reply to be over; only a client that went, or our own closing, may cut it short. */
  async function end(telling: Promise<void>, gone: AbortSignal): Promise<Outcome> {
    try {
      await telling;
      return "sent";
    } catch (error) {
      if (!gone.aborted) throw error;
      return closing ? "closed" : "aborted";
    }
  }

  async function serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { pathname } = new URL(request.url ?? "/", "http://loopback");
    const counting = pathname === "/v1/messages/count_tokens";
    const wire = counting ? "anthropic-messages" : routes[pathname];
    if (!isAllowed(request, options.key)) {
      ledger.line("unauthorized", { wire });
      sendError(response, wire, 401, "The key is missing or wrong");
      return;
    }
    if (request.method === "GET" && pathname === "/v1/models") {
      ledger.line("models");
      sendJson(response, 200, modelList);
      return;
    }
    if (request.method !== "POST" || wire === undefined) {
      sendError(response, wire, 404, `Nothing is served at ${request.method ?? "?"} ${pathname}`);
      return;
    }
    const raw = await readBody(request);
    if (counting) {
      ledger.line("count_tokens", { ask: readAsk(wire, raw)?.ask, wire });
      sendJson(response, 200, { input_tokens: Math.ceil(Buffer.byteLength(raw) / 4) });
      return;
    }
    await converse(wire, raw, response);
  }

  const serving = new Set<Promise<void>>();
  const server = createServer((request, response) => {
    const served = serve(request, response)
      .catch((error: unknown) => fault(ledger, response, error))
      .finally(() => serving.delete(served));
    serving.add(served);
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(options.port ?? 0, "127.0.0.1", resolve);
  });
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("the scripted model has no port");
  const close = async (): Promise<void> => {
    closing = true;
    await new Promise<void>((resolve) => {
      // An error here says "was not running": closing twice is fine.
      server.close(() => resolve());
      server.closeAllConnections();
    });
    // So that the log is whole once this is over.
    await Promise.allSettled(serving);
  };
  const { port } = address;
  const url = `http://127.0.0.1:${port}`;
  return { url, port, asks: () => ledger.asks(), rules, close, [Symbol.asyncDispose]: close };
}

/** A rule that throws is the test author's mistake: he sees it as the model's error. */
function fault(ledger: Ledger, response: ServerResponse, error: unknown): void {
  if (response.destroyed) return;
  ledger.line("fault");
  if (response.headersSent) response.destroy();
  else sendError(response, undefined, 500, error instanceof Error ? error.message : String(error));
}

function isAllowed(request: IncomingMessage, key: string | undefined): boolean {
  const given = request.headers;
  return key === undefined || given.authorization === `Bearer ${key}` || given["x-api-key"] === key;
}

const decoders: Record<string, (bytes: Buffer) => Buffer> = {
  gzip: gunzipSync,
  deflate: inflateSync,
  br: brotliDecompressSync,
  zstd: zstdDecompressSync,
};

async function readBody(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(Buffer.from(chunk));
  const bytes = Buffer.concat(chunks);
  // Codex can be set to compress what it sends.
  const decode = decoders[request.headers["content-encoding"] ?? ""];
  return (decode?.(bytes) ?? bytes).toString("utf8");
}

const modelId = "scripted-large";
const modelList = {
  object: "list",
  // Both dialects at once: OpenAI's fields and Anthropic's.
  data: [
    {
      id: modelId,
      object: "model",
      type: "model",
      created: 0,
      created_at: "2026-01-01T00:00:00Z",
      owned_by: "mosaic",
      display_name: modelId,
    },
  ],
  has_more: false,
  first_id: modelId,
  last_id: modelId,
};
