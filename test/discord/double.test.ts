import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";

import { expect, onTestFinished, test } from "vitest";
import { WebSocket } from "ws";

import { connectorOf } from "../../src/connector/index.ts";
import { memoryStore } from "../../src/connector/memory-intake.ts";
import { soon } from "../../src/connector/suite-rig.ts";
import type { DiscordControls } from "./controls.ts";
import { remoteDiscord } from "./remote.ts";
import { discordForTest } from "./rig.ts";

// What the tests of the connector rely on in the double, as Discord's documentation has it.

const intents = (1 << 0) | (1 << 9) | (1 << 12) | (1 << 15);

/** A bare gateway client: what it was sent, and a way to send. */
async function dial(url: string) {
  const socket = new WebSocket(url);
  const frames: { op: number; s?: number; t?: string; d: Record<string, unknown> }[] = [];
  socket.on("message", (text: Buffer) => frames.push(JSON.parse(text.toString()) as (typeof frames)[number]));
  socket.on("error", () => {});
  const closed = once(socket, "close").then(([code]) => Number(code));
  onTestFinished(() => socket.terminate());
  await once(socket, "open");
  const find = async (what: (frame: (typeof frames)[number]) => boolean) => {
    await expect.poll(() => frames.find(what), soon).toBeDefined();
    return frames.find(what);
  };
  return {
    frames,
    find,
    closed,
    send: (op: number, d: unknown) => socket.send(JSON.stringify({ op, d })),
    end: () => socket.terminate(),
  };
}

async function setUp() {
  const { double, ids } = await discordForTest();
  const call = async (method: string, path: string, body?: unknown, token = ids.token) => {
    const response = await fetch(`${double.url}/v10${path}`, {
      method,
      headers: { authorization: `Bot ${token}`, "content-type": "application/json" },
      body: body === undefined ? null : JSON.stringify(body),
    });
    const text = await response.text();
    return {
      status: response.status,
      body: (text === "" ? undefined : JSON.parse(text)) as Record<string, unknown> | undefined,
    };
  };
  const gateway = String((await call("GET", "/gateway/bot")).body?.["url"]);
  return { double, ids, call, gateway };
}

test("a session: READY, events, a cut, and a RESUME that replays exactly what was missed", async () => {
  const { double, ids, gateway } = await setUp();
  const one = await dial(gateway);
  one.send(2, { token: ids.token, intents });
  const ready = await one.find((frame) => frame.t === "READY");
  await double.post("owner", ids.general, { text: "one" });
  const last = await one.find((frame) => frame.t === "MESSAGE_CREATE");
  one.send(1, last?.s);
  await one.find((frame) => frame.op === 11);
  one.end();
  await double.post("owner", ids.general, { text: "two" });
  const other = await dial(String(ready?.d["resume_gateway_url"]));
  other.send(6, { token: ids.token, session_id: ready?.d["session_id"], seq: last?.s });
  await other.find((frame) => frame.t === "RESUMED");
  expect(other.frames.filter((frame) => frame.op === 0).map((frame) => [frame.t, frame.d["content"]])).toEqual([
    ["MESSAGE_CREATE", "two"],
    ["RESUMED", undefined],
  ]);
});

test("refusals of the gateway, each by its own code", async () => {
  const { double, ids, gateway } = await setUp();
  const refusedWith = async (op: number, d: unknown) => {
    const one = await dial(gateway);
    one.send(op, d);
    return one.closed;
  };
  expect(await refusedWith(2, { token: "wrong", intents })).toBe(4004);
  expect(await refusedWith(3, {})).toBe(4003);
  await double.behave({ contentAllowed: false });
  expect(await refusedWith(2, { token: ids.token, intents })).toBe(4014);
  const unknown = await dial(gateway);
  unknown.send(6, { token: ids.token, session_id: "none", seq: 1 });
  expect((await unknown.find((frame) => frame.op === 9))?.d).toBe(false);
});

test("without the Message Content intent a channel's messages are empty", async () => {
  const { double, ids, gateway } = await setUp();
  const one = await dial(gateway);
  one.send(2, { token: ids.token, intents: intents & ~(1 << 15) });
  await one.find((frame) => frame.t === "GUILD_CREATE");
  await double.post("owner", ids.general, { text: "secret" });
  expect((await one.find((frame) => frame.t === "MESSAGE_CREATE"))?.d["content"]).toBe("");
});

test("2000 characters, an enforced nonce, pages that follow an id and are newest first", async () => {
  const { double, ids, call } = await setUp();
  const messages = `/channels/${ids.general}/messages`;
  expect((await call("POST", messages, { content: "x".repeat(2_001) })).status).toBe(400);
  const one = await call("POST", messages, { content: "x", nonce: "n", enforce_nonce: true });
  const again = await call("POST", messages, { content: "x", nonce: "n", enforce_nonce: true });
  expect(again.body?.["id"]).toBe(one.body?.["id"]);
  const unforced = await call("POST", messages, { content: "x", nonce: "n" });
  expect(unforced.body?.["id"]).not.toBe(one.body?.["id"]);
  const posted: string[] = [];
  for (let at = 0; at < 5; at++) posted.push(await double.post("owner", ids.general, { text: String(at) }));
  const page = await call("GET", `${messages}?after=${posted[0]}&limit=2`);
  expect((page.body as unknown as { content: string }[]).map((message) => message.content)).toEqual(["2", "1"]);
  expect((await call("GET", `${messages}?limit=101`)).status).toBe(400);
  expect((await call("GET", "/users/@me", undefined, "wrong")).status).toBe(401);
});

test("an interaction is answered once, and only within its time", async () => {
  const { double, ids, call } = await setUp();
  const id = await double.command("owner", ids.general, "ps", []);
  const token = (await double.interaction(id))?.token ?? "";
  const answer = () => call("POST", `/interactions/${id}/${token}/callback`, { type: 6 });
  expect((await answer()).status).toBe(204);
  expect((await answer()).body).toMatchObject({ code: 40_060 });
  const late = await double.command("owner", ids.general, "ps", []);
  const kept = await double.interaction(late);
  if (kept !== undefined) kept.at -= 3_001;
  expect((await call("POST", `/interactions/${late}/${kept?.token}/callback`, { type: 6 })).body).toMatchObject({
    code: 10_062,
  });
});

test("as a program of its own, driven over HTTP: people, faults, a restart that keeps what was said", async () => {
  const program = spawn(process.execPath, ["test/discord/main.ts"], { stdio: ["ignore", "pipe", "inherit"] });
  onTestFinished(() => void program.kill("SIGKILL"));
  const [line] = (await once(createInterface(program.stdout), "line")) as [string];
  const ids = JSON.parse(line) as { url: string } & Awaited<ReturnType<DiscordControls["ids"]>>;
  const remote = remoteDiscord(ids.url);
  const open = await connectorOf("discord");
  const wiring = {
    account: "far",
    platform: "discord",
    agent: undefined,
    guild: ids.guild,
    channels: [ids.general],
  } as const;
  const connector = open({ ...wiring, url: ids.url, owners: [ids.owner], users: [], mention: false }, ids.token);
  const store = memoryStore(() => true);
  const controller = new AbortController();
  const states: string[] = [];
  const run = connector.run({
    intake: store.open().intake,
    words: [],
    signal: controller.signal,
    tell: (health) => void states.push(health.state),
    log: () => {},
  });
  await expect.poll(() => states.at(-1), soon).toBe("up");
  await remote.post("owner", ids.general, { text: "one" });
  await remote.restart(100);
  await expect.poll(() => states.at(-1), soon).not.toBe("up");
  await expect
    .poll(() => remote.post("owner", ids.general, { text: "two" }).catch(() => undefined), soon)
    .toBeTypeOf("string");
  await expect.poll(() => store.handedOn.map((row) => row.text), soon).toEqual(["one", "two"]);
  await remote.fault({ kind: "limit", times: 1 });
  const out = { kind: "text", key: "k", chat: ids.general, text: "x" } as const;
  expect(await connector.send(out, AbortSignal.timeout(2_000))).toMatchObject({ kind: "later" });
  expect((await remote.shown(ids.general)).map((message) => message.content)).toEqual(["one", "two"]);
  controller.abort();
  await run;
});
