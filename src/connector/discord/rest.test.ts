import { writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { join } from "node:path";

import { expect, onTestFinished, test } from "vitest";

import { quick } from "../../../test/discord/pace.ts";
import { discordForTest } from "../../../test/discord/rig.ts";
import { scratchFolder } from "../../../test/scratch.ts";
import type { Out } from "../connector.ts";
import { openDiscord } from "./discord.ts";

async function setUp() {
  const { double, ids, wiring } = await discordForTest();
  const connector = openDiscord(wiring, ids.token, quick);
  let keys = 0;
  const send = (text = "hello", more: Partial<Out & { kind: "text" }> = {}, withinMs = 1_000) =>
    connector.send(
      { kind: "text", key: String(++keys), chat: ids.general, text, ...more },
      AbortSignal.timeout(withinMs),
    );
  const shown = async () => (await double.shown(ids.general)).map((one) => one.content);
  return { double, ids, wiring, connector, send, shown };
}

test.for([
  { body: 0.5, header: 10, reset: 5, waits: 10_000 },
  { body: 7.25, header: 1, reset: 5, waits: 7_250 },
  { body: 1, header: 2, reset: 30, waits: 30_000 },
  { header: 3, waits: 3_000 },
])("of a rate limit's waits the longest counts: $waits ms", async ({ waits, ...retryAfter }) => {
  const { double, send } = await setUp();
  await double.fault({ kind: "limit", times: 1, retryAfter });
  expect(await send()).toEqual({ kind: "later", why: expect.any(String) as string, afterMs: waits });
  expect(await double.asked()).toHaveLength(1);
});

test("a limit of the whole bot is said to be one, and so is one from in front of Discord", async () => {
  const { double, send } = await setUp();
  await double.fault({ kind: "limit", times: 1, retryAfter: { body: 2 }, isGlobal: true });
  expect(await send()).toMatchObject({ kind: "later", afterMs: 2_000, wholeAccount: true });
  await double.fault({ kind: "status", status: 429, times: 1 });
  expect(await send()).toMatchObject({ kind: "later", wholeAccount: true });
  await double.fault({ kind: "limit", times: 1, retryAfter: { body: 2 } });
  expect(await send()).not.toHaveProperty("wholeAccount");
});

test("whatever used up a chat's room says how long that lasts", async () => {
  const { double, send } = await setUp();
  await double.fault({ kind: "last", times: 1, retryAfter: { reset: 1.5 } });
  expect(await send()).toMatchObject({ kind: "sent", restMs: 1_500 });
  expect(await send()).not.toHaveProperty("restMs");
});

test("what an outcome is called follows from what may have been done", async () => {
  const { double, send, shown } = await setUp();
  const after = async (kind: "status" | "reset" | "html" | "garbled" | "trickle" | "silent", status = 500) => {
    await double.fault({ kind, status, times: 1 });
    const sent = await send(`${kind} ${status}`, {}, 400);
    return sent.kind;
  };
  expect(await after("status", 500)).toBe("later");
  expect(await after("status", 502)).toBe("later");
  // A proxy's or a captive portal's word is not Discord's.
  expect(await after("status", 302)).toBe("later");
  expect(await after("status", 403)).toBe("later");
  expect(await after("reset")).toBe("unknown");
  expect(await shown()).toEqual([]);
  for (const kind of ["html", "garbled", "trickle", "silent"] as const) expect(await after(kind), kind).toBe("unknown");
  expect(await shown()).toHaveLength(4);
});

test("a refusal is in Discord's words, with what to do", async () => {
  const { double, ids, send } = await setUp();
  await double.deny(ids.second, String(1n << 11n));
  expect(await send("x", { chat: ids.second })).toEqual({
    kind: "never",
    why: "Discord refuses: Missing Permissions (50013). Give the bot's role that right in the server's settings.",
  });
  expect(await send("x", { chat: "1234567890123456789" })).toMatchObject({
    why: expect.stringContaining("Unknown Channel (10003)") as string,
  });
  expect(await send("x".repeat(2_001))).toMatchObject({
    why: expect.stringContaining("Must be 2000 or fewer in length.") as string,
  });
  expect(await send("")).toMatchObject({ kind: "never" });
});

test("a server that quotes the token does not make us quote it", async () => {
  const { double, ids, send } = await setUp();
  await double.fault({ kind: "echo", times: 1 });
  const sent = await send();
  expect(sent).toMatchObject({ kind: "never", why: expect.stringContaining("Bad header Bot [token]") as string });
  expect(JSON.stringify(sent)).not.toContain(ids.token);
});

test("a redirect is not followed, with or without the token", async () => {
  const { double, ids, wiring } = await setUp();
  const server = createServer((_, response) =>
    response.writeHead(307, { location: `${double.url}/v10/users/@me` }).end(),
  );
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => void server.close());
  const address = server.address();
  const url = `http://127.0.0.1:${address !== null && typeof address === "object" ? address.port : 0}`;
  const connector = openDiscord({ ...wiring, url }, ids.token, quick);
  const out = { kind: "text", key: "k", chat: ids.general, text: "x" } as const;
  expect(await connector.send(out, AbortSignal.timeout(2_000))).toMatchObject({ kind: "later" });
  expect(await double.asked()).toEqual([]);
});

test("a file that is too large is not even sent", async () => {
  const { double, connector, ids } = await setUp();
  const path = join(scratchFolder("discord"), "large");
  writeFileSync(path, Buffer.alloc(connector.capabilities.maxFile + 1));
  const out = { kind: "file", key: "k", chat: ids.general, path, name: "large" } as const;
  expect(await connector.send(out, AbortSignal.timeout(2_000))).toMatchObject({ kind: "never" });
  expect(await double.asked()).toEqual([]);
});

test("a file is named by its own part alone: that is all that every server understands", async () => {
  const { ids, wiring } = await setUp();
  const bodies: string[] = [];
  const server = createServer((request, response) => {
    request.setEncoding("utf8").on("data", (part: string) => void bodies.push(part));
    request.on("end", () => response.writeHead(200, { "content-type": "application/json" }).end('{"id": "1"}'));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => void server.close());
  const address = server.address();
  const url = `http://127.0.0.1:${address !== null && typeof address === "object" ? address.port : 0}`;
  const path = join(scratchFolder("discord"), "kept-as-1");
  writeFileSync(path, "content");
  const out = { kind: "file", key: "k", chat: ids.general, path, name: "a report.txt", text: "see" } as const;
  expect(await openDiscord({ ...wiring, url }, "t", quick).send(out, AbortSignal.timeout(2_000))).toEqual({
    kind: "sent",
    ids: ["1"],
  });
  const body = bodies.join("");
  expect(body).toMatch(/name="files\[0\]"; filename="a report\.txt"[\s\S]*content/);
  expect(JSON.parse(/\{.*\}/.exec(body)?.[0] ?? "")).toEqual({
    content: "see",
    nonce: expect.any(String) as string,
    enforce_nonce: true,
    allowed_mentions: { parse: [] },
  });
});

test("stopped before it began, nothing is sent", async () => {
  const { connector, ids, shown } = await setUp();
  const out = { kind: "text", key: "k", chat: ids.general, text: "x" } as const;
  expect(await connector.send(out, AbortSignal.abort())).toMatchObject({ kind: "later" });
  expect(await shown()).toEqual([]);
});

test("nobody is pinged by what we say", async () => {
  const { double, ids, send } = await setUp();
  await send(`<@${ids.owner}> and @everyone`);
  expect((await double.shown(ids.general)).at(-1)?.mentions).toEqual([]);
});

test("files are fetched from Discord and the wired server alone, no larger than asked, and without the token", async () => {
  const { double, ids, connector } = await setUp();
  await double.post("owner", ids.general, { text: "", files: [{ name: "a.txt", content: "content" }] });
  const posted = (await double.shown(ids.general)).at(-1)?.attachments[0];
  const file = { name: "a.txt", mime: "text/plain", bytes: posted?.size ?? 0, url: posted?.url ?? "" };
  const fetchIt = async (changes: Partial<typeof file>, atMost = 100) =>
    String(Buffer.from(await connector.fetch({ ...file, ...changes }, atMost, AbortSignal.timeout(2_000))));
  expect(await fetchIt({})).toBe("content");
  await expect(fetchIt({}, 3)).rejects.toThrow(/larger/);
  await expect(fetchIt({ bytes: 1 }, 3), "whatever size was announced").rejects.toThrow(/larger/);
  await expect(fetchIt({ url: `${file.url}.none` })).rejects.toMatchObject({ name: "FleetError" });

  const asked: string[] = [];
  const other = createServer((request, response) => {
    asked.push(request.url ?? "");
    response.writeHead(302, { location: file.url }).end();
  });
  await new Promise<void>((resolve) => other.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => void other.close());
  const address = other.address();
  const port = address !== null && typeof address === "object" ? address.port : 0;
  for (const url of [
    `http://127.0.0.1:${port}/a`,
    "https://cdn.discordapp.com.example.org/a",
    "file:///etc/passwd",
    "nonsense",
  ]) {
    await expect(fetchIt({ url })).rejects.toThrow(/not at Discord/);
  }
  expect(asked).toEqual([]);
  const elsewhere = openDiscord({ ...(await setUp()).wiring, url: `http://127.0.0.1:${port}` }, "t", quick);
  await expect(
    elsewhere.fetch({ ...file, url: `http://127.0.0.1:${port}/redirects` }, 100, AbortSignal.timeout(2_000)),
    "a redirect is not followed",
  ).rejects.toThrow(/could not be fetched/);
});

test("a question comes whatever its buttons are to be called", async () => {
  const { double, ids, send } = await setUp();
  const labels = ["Yes", `${"a".repeat(79)}😀 and so on`, "  ", "b".repeat(100), " 😀 "];
  const choices = labels.map((label, at) => ({ id: `${at}`, label, style: "plain" as const }));
  expect(await send("Which?", { choices })).toMatchObject({ kind: "sent" });
  const [message] = await double.shown(ids.general);
  expect(message?.components[0]?.components?.map(({ label }) => label)).toEqual([
    "Yes",
    "a".repeat(79),
    "…",
    "b".repeat(80),
    "😀",
  ]);
});
