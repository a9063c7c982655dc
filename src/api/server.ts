import { chmodSync, rmSync } from "node:fs";

import { createAdaptorServer } from "@hono/node-server";
import { Hono } from "hono";
import { stream, streamSSE, type SSEStreamingApi } from "hono/streaming";

import type { FleetControl } from "../contract/command.ts";
import type { ConsoleDoor } from "../contract/console.ts";
import { exitCodes, FleetError, type FaultCode } from "../lib/errors.ts";

/** What the API gives access to. */
export interface Offered {
  control: FleetControl;
  console: ConsoleDoor;
  /** Whether everything the daemon runs is well, and what is not. */
  health(): { ok: boolean; [part: string]: unknown };
  /** Prometheus's text format. */
  metrics(): Promise<string>;
  version: string;
  onFault: (error: unknown) => void;
}

const httpCodes = {
  usage: 400,
  "not-found": 404,
  conflict: 409,
  unreachable: 503,
  "invalid-roster": 422,
  cancelled: 499,
} as const satisfies Record<FaultCode, number>;

/** An error as the API tells it: the same sentence, hint and exit code as on the command line. */
function faultOf(error: unknown): { code: string; message: string; hint: string | null; exit: number } {
  if (error instanceof FleetError) {
    const { code, message, hint } = error;
    return { code, message, hint: hint ?? null, exit: exitCodes[code] };
  }
  return { code: "fault", message: "an unexpected fault; see: mosaic fleet logs", hint: null, exit: 1 };
}

/** Loaded with the first request that says something: schemas are a quarter of the daemon's memory. */
const inputs = () => import("./inputs.ts");

/** The local API's routes (docs/api.md). Whoever reaches the socket is the person of this machine; nobody else can. */
export function routes(offered: Offered): Hono {
  const app = new Hono();
  /** Events have begun by then, so the fault is one of them. */
  const broken = async (error: Error, events: SSEStreamingApi) => {
    if (!(error instanceof FleetError)) offered.onFault(error);
    await events.writeSSE({ event: "fault", data: JSON.stringify({ error: faultOf(error) }) });
  };
  app.onError((error, context) => {
    const bad = isBadInput(error) || error instanceof SyntaxError;
    const known = bad ? new FleetError("usage", `This is no request of ours: ${wordsOf(error)}.`) : error;
    if (!(known instanceof FleetError)) offered.onFault(error);
    const status = known instanceof FleetError ? httpCodes[known.code] : 500;
    return context.json({ error: faultOf(known) }, status as 400);
  });
  app.notFound((context) =>
    context.json({ error: faultOf(new FleetError("not-found", `There is no ${context.req.path}.`)) }, 404),
  );
  app.get("/healthz", (context) => {
    const health = offered.health();
    return context.json({ version: offered.version, ...health }, health.ok ? 200 : 503);
  });
  app.get("/metrics", async (context) =>
    context.text(await offered.metrics(), 200, { "content-type": "text/plain; version=0.0.4; charset=utf-8" }),
  );
  app.get("/v1/state", async (context) => context.json(await offered.control.state()));
  app.get("/v1/events", (context) =>
    streamSSE(
      context,
      async (events) => {
        const gone = abortOf(context.req.raw.signal, (end) => events.onAbort(end));
        for await (const event of offered.control.watch(gone))
          await events.writeSSE({ event: event.kind, data: JSON.stringify(event) });
      },
      broken,
    ),
  );
  app.post("/v1/commands", async (context) => {
    const command = (await inputs()).CommandInput.parse(await context.req.json());
    context.header("content-type", "application/x-ndjson");
    // Progress as it comes, then one last line: the outcome, or the error.
    return stream(context, async (lines) => {
      const write = (line: object) => lines.write(`${JSON.stringify(line)}\n`);
      try {
        const outcome = await offered.control.run(command, (tell) => void write({ tell }));
        await write({ outcome });
      } catch (error) {
        if (!(error instanceof FleetError)) offered.onFault(error);
        await write({ error: faultOf(error) });
      }
    });
  });
  app.get("/v1/console", (context) =>
    streamSSE(
      context,
      async (events) => {
        const gone = abortOf(context.req.raw.signal, (end) => events.onAbort(end));
        const last = Math.trunc(Math.min(1_000, Math.max(0, Number(context.req.query("last") ?? 20) || 0)));
        for await (const line of offered.console.follow(last, gone))
          await events.writeSSE({ event: line.kind, data: JSON.stringify(line) });
      },
      broken,
    ),
  );
  app.post("/v1/console/lines", async (context) => {
    await offered.console.say((await inputs()).SaidInput.parse(await context.req.json()));
    return context.json({ kept: true });
  });
  app.post("/v1/console/choices", async (context) => {
    await offered.console.choose((await inputs()).ChoiceInput.parse(await context.req.json()));
    return context.json({ kept: true });
  });
  return app;
}

/** As zod says it, which is not loaded for this. */
const isBadInput = (error: Error): error is Error & { issues: { path: PropertyKey[]; message: string }[] } =>
  "issues" in error && Array.isArray(error.issues);

const wordsOf = (error: Error): string =>
  isBadInput(error)
    ? error.issues.map((issue) => `${issue.path.join(".") || "body"}: ${issue.message}`).join("; ")
    : "it is not JSON";

function abortOf(request: AbortSignal, onAbort: (end: () => void) => void): AbortSignal {
  const gone = new AbortController();
  onAbort(() => gone.abort());
  return AbortSignal.any([request, gone.signal]);
}

/** Listens on a 0600 socket, until `close`. */
export async function listen(
  path: string,
  app: Hono,
  onFault: (error: unknown) => void,
): Promise<{ close(): Promise<void> }> {
  rmSync(path, { force: true }); // whoever calls is the only daemon; a killed one leaves its socket behind
  const server = createAdaptorServer({ fetch: app.fetch });
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    // The socket is made within this call; a moment later somebody may make a folder, which must be one to enter.
    const before = process.umask(0o177);
    server.listen(path, () => resolve());
    process.umask(before);
  });
  // One caller too many (no file handle is left for it) is no reason to end.
  server.on("error", onFault);
  chmodSync(path, 0o600);
  return {
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        if ("closeAllConnections" in server) server.closeAllConnections();
      }),
  };
}
