import { randomBytes } from "node:crypto";
import { createServer } from "node:http";
import type { IncomingMessage, Server, ServerResponse } from "node:http";
import type { Socket } from "node:net";

import { WebSocketServer } from "ws";

import { pause } from "../../src/lib/wait.ts";
import { createControls, tokenOf } from "./controls.ts";
import type { Asked } from "./controls.ts";
import { failAfter, failBefore } from "./faults.ts";
import type { Fault } from "./faults.ts";
import { createGateway } from "./gateway.ts";
import type { GatewayMood } from "./gateway.ts";
import { createRoutes } from "./routes.ts";
import type { Body } from "./routes.ts";
import { createWorld } from "./world.ts";
import type { World } from "./world.ts";

/**
 * Discord's REST API and gateway, version 10, on the loopback interface, as far as a bot in a channel needs them, with every
 * fault that we know of at hand. Its state outlives `down` and `up`.
 */
export async function startDiscordDouble(
  options: { port?: number | undefined; heartbeatMs?: number | undefined } = {},
) {
  const mood: GatewayMood = {
    // Of a real token's shape, and of no account.
    token: `M${randomBytes(18).toString("base64url")}.canary.${randomBytes(20).toString("hex")}`,
    heartbeatMs: options.heartbeatMs ?? 41_250,
    identifiesLeft: 1_000,
    resetAfterMs: 60_000,
    contentAllowed: true,
    menuAllowed: true,
    aheadMs: 0,
    refuseResumes: 0,
    duplicate: 0,
    shuffle: 0,
    delayMs: 0,
    isFrozen: false,
    resumeUrl: undefined,
    isOnBoth: false,
    isExpelled: false,
    guildAfterMs: 0,
    answerAfterMs: 0,
    hangUps: 0,
    emptyHellos: 0,
  };
  let port = options.port ?? 0;
  let server: Server | undefined;
  const base = () => `http://127.0.0.1:${port}/api`;
  const gatewayUrl = () => `ws://127.0.0.1:${port}/gateway`;
  const world: World = createWorld((name, data) => gateway.emit(name, data));
  const gateway = createGateway(() => world, gatewayUrl, mood);
  const routes = createRoutes(
    () => world,
    mood,
    () => ({ api: base(), gateway: gatewayUrl() }),
  );
  const faults: Fault[] = [];
  const asked: Asked[] = [];
  const connections = new Set<Socket>();
  let thawed: Promise<void> = Promise.resolve();
  let thaw: () => void = () => {};

  async function serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { pathname, searchParams } = new URL(request.url ?? "/", "http://loopback");
    if (pathname.startsWith("/control/")) return answerControl(pathname.slice("/control/".length), request, response);
    await thawed;
    const method = request.method ?? "GET";
    const log = (status: number) => void asked.push({ method, path: pathname.replace("/api/v10", ""), status });
    const content = world.contents.get(decodeURIComponent(pathname.replace("/api/attachments/", "")));
    if (content !== undefined)
      return void response.writeHead(200, { "content-type": content.mime }).end(content.content);
    const fault = faults.find((one) => one.times > 0 && `${method} ${pathname}`.includes(one.only ?? ""));
    if (fault !== undefined) fault.times--;
    const body = await readBody(request);
    if (fault !== undefined && failBefore(fault, request, response)) return log(response.statusCode);
    const given = request.headers.authorization;
    const isBot = pathname.includes("/interactions/") || given === `Bot ${mood.token}`;
    const who = isBot ? world.bot : Object.values(world.people).find((one) => given === tokenOf(one));
    const reply = who
      ? routes.route(who, method, pathname.replace("/api/v10", ""), searchParams, body)
      : { status: 401, body: { message: "401: Unauthorized", code: 0 } };
    log(reply.status);
    const headers: Record<string, string> = { date: new Date(Date.now() + mood.aheadMs).toUTCString() };
    if (fault?.kind === "last") {
      headers["x-ratelimit-remaining"] = "0";
      headers["x-ratelimit-reset-after"] = String(fault.retryAfter?.reset ?? 1);
    } else if (fault !== undefined) return failAfter(fault, request, response);
    if (mood.answerAfterMs > 0) await pause(mood.answerAfterMs);
    response.writeHead(reply.status, { "content-type": "application/json", ...headers });
    response.end(reply.body === undefined ? "" : JSON.stringify(reply.body));
  }

  async function up(): Promise<void> {
    const next = createServer((request, response) => {
      serve(request, response).catch((error: unknown) => {
        response.writeHead(599, { "content-type": "text/plain" }).end(`The double failed: ${String(error)}`);
      });
    });
    const wss = new WebSocketServer({ noServer: true });
    next.on("upgrade", (request, socket, head) => {
      gateway.counts.dials++;
      void thawed.then(() => wss.handleUpgrade(request, socket, head, (client) => gateway.connect(client)));
    });
    next.on("connection", (socket) => {
      connections.add(socket);
      socket.once("close", () => connections.delete(socket));
    });
    await new Promise<void>((resolve, reject) => {
      next.once("error", reject);
      next.listen(port, "127.0.0.1", resolve);
    });
    const address = next.address();
    if (address !== null && typeof address === "object") port = address.port;
    server = next;
  }

  /** Gone, as after a kill -9: every connection is reset, and new ones are refused. */
  async function down(): Promise<void> {
    const last = server;
    server = undefined;
    if (last === undefined) return;
    const closed = new Promise<void>((resolve) => last.close(() => resolve()));
    for (const socket of connections) socket.resetAndDestroy();
    await closed;
  }

  const power = {
    up,
    down,
    freeze: () => {
      mood.isFrozen = true;
      thawed = new Promise((resolve) => (thaw = resolve));
    },
    thaw: () => {
      gateway.thaw();
      thaw();
    },
  };
  const controls = createControls({ world, mood, gateway, routes, faults, asked, power, base });

  async function answerControl(name: string, request: IncomingMessage, response: ServerResponse): Promise<void> {
    const control = new Map<string, unknown>(Object.entries(controls)).get(name);
    if (typeof control !== "function") return void response.writeHead(404).end();
    const given = JSON.parse((await rawBody(request)).toString() || "[]") as unknown[];
    const result: unknown = await control(...given);
    if (response.destroyed) return;
    response.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify(result ?? null));
  }

  await up();
  return { ...controls, url: base(), port, raw: { world, mood, gateway, faults, asked }, [Symbol.asyncDispose]: down };
}

async function rawBody(request: IncomingMessage): Promise<Buffer> {
  const parts: Buffer[] = [];
  for await (const part of request) parts.push(Buffer.from(part));
  return Buffer.concat(parts);
}

async function readBody(request: IncomingMessage): Promise<Body> {
  const raw = await rawBody(request);
  const type = request.headers["content-type"] ?? "";
  if (!type.startsWith("multipart/")) return raw.length === 0 ? {} : (JSON.parse(raw.toString()) as Body);
  const form = await new Response(new Uint8Array(raw), { headers: { "content-type": type } }).formData();
  const payload = form.get("payload_json");
  const body = JSON.parse(typeof payload === "string" ? payload : "{}") as Body;
  const files: Body["files"] = [];
  for (const [name, value] of form) {
    if (!name.startsWith("files[") || typeof value === "string") continue;
    files.push({ name: value.name, content: await value.text(), mime: value.type });
  }
  return { ...body, files };
}
