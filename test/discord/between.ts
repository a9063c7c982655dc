import { once } from "node:events";
import { createServer } from "node:http";
import type { IncomingMessage, ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

import { WebSocket, WebSocketServer } from "ws";
import type { RawData } from "ws";

import { failAfter, failBefore } from "./faults.ts";
import type { Fault } from "./faults.ts";

interface Frame {
  op: number;
  t?: string | null;
  d?: unknown;
}
/** Of one request, what the next hop makes for itself. */
const ofOneHop = new Set([
  "host",
  "connection",
  "keep-alive",
  "transfer-encoding",
  "content-length",
  "content-encoding",
]);
const isMessage = (frame: Frame) => frame.op === 0 && frame.t === "MESSAGE_CREATE";

/**
 * Stands between a bot and whatever server speaks Discord's API at that address, REST and gateway, and makes go wrong there
 * what nobody can ask of somebody else's server.
 */
export async function standBetween(api: string) {
  const faults: Fault[] = [];
  const mood = { isFrozen: false, isRevoked: false, refusesResume: false, duplicate: 0, shuffle: 0 };
  const talks = new Set<WebSocket>();
  const waiting: (() => void)[] = [];
  let gateway = "";
  let port = 0;
  const origin = () => `127.0.0.1:${port}`;
  async function whenThawed(): Promise<void> {
    if (mood.isFrozen) await new Promise<void>((resolve) => waiting.push(resolve));
  }

  async function pass(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const parts: Buffer[] = [];
    for await (const part of request) parts.push(Buffer.from(part as Uint8Array));
    await whenThawed();
    if (mood.isRevoked) {
      response.writeHead(401, { "content-type": "application/json" });
      response.end('{"message": "401: Unauthorized", "code": 0}');
      return;
    }
    const fault = faults.find((one) => one.times > 0);
    if (fault !== undefined) fault.times--;
    if (fault !== undefined && failBefore(fault, request, response)) return;
    const headers = Object.entries(request.headers).flatMap(([name, value]): [string, string][] =>
      ofOneHop.has(name) || value === undefined ? [] : [[name, String(value)]],
    );
    const url = new URL(request.url ?? "/", api);
    const answer = await fetch(url, {
      method: request.method ?? "GET",
      headers,
      body: parts.length === 0 ? null : new Uint8Array(Buffer.concat(parts)),
      redirect: "manual",
    });
    let body = Buffer.from(await answer.arrayBuffer());
    if (fault !== undefined) return failAfter(fault, request, response);
    if (url.pathname.endsWith("/gateway/bot") && answer.ok) {
      const found = JSON.parse(body.toString()) as { url: string };
      gateway = found.url;
      body = Buffer.from(JSON.stringify({ ...found, url: `ws://${origin()}` }));
    }
    const type = answer.headers.get("content-type");
    response.writeHead(answer.status, type === null ? {} : { "content-type": type });
    response.end(answer.status === 204 ? undefined : body);
  }

  /** One connection to the gateway, and the bot's to us. */
  function talk(bot: WebSocket, path: string): void {
    const far = new WebSocket(gateway + path);
    const kept: string[] = [];
    let early: string[] | undefined = [];
    talks.add(bot);
    far.on("error", () => bot.terminate());
    bot.on("error", () => {});
    bot.once("close", () => {
      talks.delete(bot);
      far.terminate();
    });
    far.once("close", (code) => (code >= 1000 && code !== 1005 && code !== 1006 ? bot.close(code) : bot.terminate()));
    far.once("open", () => {
      for (const text of early ?? []) far.send(text);
      early = undefined;
    });
    bot.on("message", (raw) => void whenThawed().then(() => sayFar(textOf(raw))));
    far.on("message", (raw) => void whenThawed().then(() => sayNear(textOf(raw))));
    function sayFar(text: string): void {
      if (mood.refusesResume && (JSON.parse(text) as Frame).op === 6) {
        mood.refusesResume = false;
        bot.send('{"op": 9, "d": false}');
      } else if (early !== undefined) early.push(text);
      else far.send(text);
    }
    function sayNear(given: string): void {
      const frame = JSON.parse(given) as Frame;
      if (frame.t === "READY") Object.assign(frame.d as object, { resume_gateway_url: `ws://${origin()}` });
      const text = JSON.stringify(frame);
      if (isMessage(frame) && mood.shuffle > 0) {
        mood.shuffle--;
        kept.push(text);
        if (mood.shuffle === 0) for (const one of kept.splice(0).toReversed()) bot.send(one);
        return;
      }
      bot.send(text);
      if (!isMessage(frame) || mood.duplicate === 0) return;
      mood.duplicate--;
      bot.send(text);
    }
  }

  let server = createServer();
  async function up(): Promise<void> {
    server = createServer((request, response) => void pass(request, response).catch(() => response.destroy()));
    const sockets = new WebSocketServer({ server });
    sockets.on("connection", (bot, request) => talk(bot, request.url ?? "/"));
    server.listen(port, "127.0.0.1");
    await once(server, "listening");
    ({ port } = server.address() as AddressInfo);
  }
  function cut(code?: number): void {
    for (const bot of talks) {
      if (code === undefined) bot.terminate();
      else bot.close(code);
    }
  }
  function thaw(): void {
    mood.isFrozen = false;
    for (const go of waiting.splice(0)) go();
  }
  async function down(): Promise<void> {
    thaw();
    cut();
    const closed = once(server, "close");
    server.close();
    server.closeAllConnections();
    await closed;
  }
  await up();
  return {
    api: `http://${origin()}${new URL(api).pathname}`,
    mood,
    up,
    down,
    cut,
    thaw,
    fault: (fault: Fault) => void faults.push(fault),
  };
}

const textOf = (raw: RawData): string =>
  Buffer.isBuffer(raw) ? raw.toString() : Buffer.concat(Array.isArray(raw) ? raw : [Buffer.from(raw)]).toString();
