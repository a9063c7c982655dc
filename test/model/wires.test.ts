import { expect, onTestFinished, test } from "vitest";

import { pieces } from "./reply.ts";
import { startScriptedModel } from "./server.ts";

// What a vendor's own client library relies on and the tests' small one does not look at.

async function start(): Promise<string> {
  const model = await startScriptedModel();
  onTestFinished(() => model.close());
  return model.url;
}

async function send(address: string, body: object): Promise<Response> {
  return fetch(address, { method: "POST", body: JSON.stringify({ model: "m", ...body }) });
}

async function events(address: string, body: object): Promise<Record<string, unknown>[]> {
  const raw = await (await send(address, { ...body, stream: true })).text();
  const data = raw.split("\n").filter((line) => line.startsWith("data: {"));
  return data.map((line) => JSON.parse(line.slice(6)) as Record<string, unknown>);
}

const say = "[[say two words]]";
const call = '[[tool t {"a":"b"}]]';
const message = (content: string): object => ({ messages: [{ role: "user", content }] });

test("Anthropic: blocks open and close in order, and the stop reason tells text from tool use", async () => {
  const address = `${await start()}/v1/messages`;
  const types = (all: Record<string, unknown>[]): unknown[] => [...new Set(all.map((one) => one["type"]))];
  const order = ["message_start", "ping", "content_block_start", "content_block_delta", "content_block_stop"];
  for (const [content, reason] of [
    [say, "end_turn"],
    [call, "tool_use"],
  ] as const) {
    const streamed = await events(address, message(content));
    expect(types(streamed)).toEqual([...order, "message_delta", "message_stop"]);
    expect(streamed.at(-2)).toMatchObject({ delta: { stop_reason: reason } });
    expect(await (await send(address, message(content))).json()).toMatchObject({ stop_reason: reason });
  }
});

test("Chat Completions: the finish reason tells text from tool calls, and usage comes only when asked for", async () => {
  const address = `${await start()}/v1/chat/completions`;
  for (const [content, reason] of [
    [say, "stop"],
    [call, "tool_calls"],
  ] as const) {
    const streamed = await events(address, message(content));
    expect(streamed.at(-1)).toMatchObject({ choices: [{ finish_reason: reason }] });
    expect(streamed.filter((one) => "usage" in one)).toEqual([]);
    const whole = await (await send(address, message(content))).json();
    expect(whole).toMatchObject({ choices: [{ finish_reason: reason }] });
  }
  const counted = await events(address, { ...message(say), stream_options: { include_usage: true } });
  expect(counted.at(-1)).toMatchObject({ choices: [], usage: { prompt_tokens: expect.any(Number) as number } });
  expect(await (await send(address, { ...message(say), stream: true })).text()).toMatch(/data: \[DONE\]\n\n$/);
});

test("Responses: events are numbered, every item is done, and the last event holds the whole", async () => {
  const address = `${await start()}/v1/responses`;
  for (const [input, item] of [
    [say, { type: "message", status: "completed", content: [{ type: "output_text", text: "two words" }] }],
    [call, { type: "function_call", status: "completed", name: "t", arguments: '{"a":"b"}' }],
  ] as const) {
    const streamed = await events(address, { input });
    expect(streamed.map((one) => one["sequence_number"])).toEqual([...streamed.keys()]);
    expect(streamed.at(-2)).toMatchObject({ type: "response.output_item.done", output_index: 0, item });
    const completed = { status: "completed", output: [item] };
    expect(streamed.at(-1)).toMatchObject({ type: "response.completed", response: completed });
  }
});

test("calls made side by side, and words beside a call, are one step", async () => {
  const url = await start();
  const user = { role: "user", content: "[[say one]] [[say two]]" };
  const fn = { name: "t", arguments: "{}" };
  const calls = ["a", "b"].map((id) => ({ id, type: "function", function: fn }));
  const results = ["a", "b"].map((id) => ({ role: "tool", tool_call_id: id, content: "r" }));
  const messages = [
    user,
    { role: "assistant", content: "I think" },
    { role: "assistant", tool_calls: calls },
    ...results,
  ];
  const chat = await send(`${url}/v1/chat/completions`, { messages });
  expect(await chat.json()).toMatchObject({ choices: [{ message: { content: "two" } }] });
  const input = [
    user,
    { role: "assistant", content: [{ type: "output_text", text: "I think" }] },
    ...["a", "b"].map((id) => ({ type: "function_call", call_id: id, ...fn })),
    ...["a", "b"].map((id) => ({ type: "function_call_output", call_id: id, output: "r" })),
  ];
  const whole = await send(`${url}/v1/responses`, { input });
  expect(await whole.json()).toMatchObject({ output: [{ content: [{ text: "two" }] }] });
});

test("words alone are no step", async () => {
  const messages = [
    { role: "user", content: "[[say one]] [[say two]]" },
    { role: "assistant", content: "I think" },
  ];
  const reply = await send(`${await start()}/v1/messages`, { messages });
  expect(await reply.json()).toMatchObject({ content: [{ text: "one" }] });
});

test("failures are counted for each text on its own", async () => {
  const address = `${await start()}/v1/messages`;
  const status = async (text: string): Promise<number> => (await send(address, message(text))).status;
  expect(await status("a [[error 500 1]]")).toBe(500);
  expect(await status("b [[error 500 1]]")).toBe(500);
  expect(await status("a [[error 500 1]]")).toBe(200);
});

test("usage set for one reply is not that of the one after", async () => {
  const messages = [
    { role: "user", content: "[[tokens 99999 9]] [[tool t]]" },
    { role: "assistant", content: [{ type: "tool_use", id: "a", name: "t", input: {} }] },
    { role: "user", content: [{ type: "tool_result", tool_use_id: "a", content: "r" }] },
  ];
  const reply = (await (await send(`${await start()}/v1/messages`, { messages })).json()) as object;
  expect(reply).toMatchObject({ content: [{ text: "done\nr" }] });
  expect(reply).not.toMatchObject({ usage: { input_tokens: 99999 } });
});

test("text is never cut inside a character", () => {
  expect(pieces("🙂🙂🙂", 2)).toEqual(["🙂🙂", "🙂"]);
  expect(pieces("ab", 10)).toEqual(["a", "b"]);
  expect(pieces("", 4)).toEqual([]);
});

test("Anthropic: Claude Code's frame round a message is not part of it, and what follows it is a turn of its own", async () => {
  const model = await startScriptedModel();
  onTestFinished(() => model.close());
  const framed = (inner: string) =>
    `Another Claude session sent a message:\n${inner}\n\nThis came from another Claude session — not typed by your user.`;
  const content = `${framed("one\n\ntwo ")}\n${framed("three")}\n[Request interrupted by user]\nfour`;
  await send(`${model.url}/v1/messages`, message(content));
  expect(model.asks()[0]?.ask.turns.map((turn) => turn.text)).toEqual(["one\n\ntwo ", "three", "four"]);
});
