import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { zstdCompressSync } from "node:zlib";

import { describe, expect, onTestFinished, test } from "vitest";

import type { Ask, Wire } from "./ask.ts";
import { ask, post, shellTools } from "./client.ts";
import type { Said } from "./client.ts";
import type { LoggedAsk } from "./ledger.ts";
import { echoOf } from "./script.ts";
import { startScriptedModel } from "./server.ts";
import type { ScriptedModel, ScriptedModelOptions } from "./server.ts";

const wires: Wire[] = ["anthropic-messages", "openai-responses", "openai-completions"];

async function start(options: ScriptedModelOptions = {}): Promise<ScriptedModel> {
  const model = await startScriptedModel(options);
  onTestFinished(() => model.close());
  return model;
}

function logFile(): { path: string; lines: () => unknown[] } {
  const folder = mkdtempSync(join(tmpdir(), "scripted-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const path = join(folder, "log.jsonl");
  const lines = (): unknown[] =>
    readFileSync(path, "utf8")
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line) as unknown);
  return { path, lines };
}

const user = (text: string): Said => ({ user: text });
const ran = (result: string): Said => ({ call: "bash", args: { command: "x" }, result });

const ways = wires.flatMap((wire) => [true, false].map((stream) => ({ wire, stream })));

describe.for(ways)("$wire, stream $stream", (way) => {
  test("text comes back as the script says it", async () => {
    const { url } = await start();
    const heard = await ask(url, { ...way, turns: [user("x [[say höi 👋🏽 there]]")] });
    expect(heard).toMatchObject({ status: 200, text: "höi 👋🏽 there", calls: [] });
  });

  test("a plain text is echoed by length and hash of its bytes", async () => {
    const { url } = await start();
    for (const text of ["hello", "", "ünï çødé 👩‍👩‍👧 \u0000 \r\n\ttail ", "\\ \" ' `$(id)` {pane};", "é🙂".repeat(17_000)])
      expect((await ask(url, { ...way, turns: [user(text)] })).text).toBe(echoOf(text));
    expect(echoOf("é")).toBe("echo len=2 sha256=4a99557e4033c3539de2eb65472017cad5f9557f7a0625a09f1c3f6e2ba69c4c ");
  });

  test("directives are performed one a call, then the turn ends with the last result", async () => {
    const { url } = await start();
    const first = user('do [[bash echo "[[say hi]]"]] [[write /tmp/a b c]] [[tool other {"n":[1,{"m":null}]}]]');
    const question = { ...way, tools: shellTools };
    const called = async (...turns: Said[]): Promise<unknown> => (await ask(url, { ...question, turns })).calls;
    expect(await called(first)).toEqual([{ name: "bash", args: { command: 'echo "[[say hi]]"' } }]);
    expect(await called(first, ran("1"))).toEqual([{ name: "write", args: { path: "/tmp/a", content: "b c" } }]);
    expect(await called(first, ran("1"), ran("2"))).toEqual([{ name: "other", args: { n: [1, { m: null }] } }]);
    const last = await ask(url, { ...question, turns: [first, ran("1"), ran("2"), ran("x".repeat(300))] });
    expect(last).toMatchObject({ text: `done\n${"x".repeat(200)}`, calls: [] });
  });

  test("a new user message starts afresh, whatever was done before", async () => {
    const { url } = await start();
    const turns = [user("[[bash a]]"), ran("1"), { say: "done" }, user("[[bash b]]")];
    const heard = await ask(url, { ...way, tools: shellTools, turns });
    expect(heard.calls).toEqual([{ name: "bash", args: { command: "b" } }]);
  });

  test("tokens set the usage of the next reply only", async () => {
    const { url } = await start();
    const first = user("[[tokens 1234 56]] [[bash a]] [[tokens 7 8]]");
    const question = { ...way, tools: shellTools };
    expect((await ask(url, { ...question, turns: [first] })).usage).toEqual({ input: 1234, output: 56 });
    const last = await ask(url, { ...question, turns: [first, ran("1")] });
    expect(last).toMatchObject({ usage: { input: 7, output: 8 }, text: "done\n1" });
  });

  test("an error comes as often as told, with retry-after, and then the script goes on", async () => {
    const model = await start();
    const turns = [user("[[error 529 2 3]] [[say through]]")];
    const replies = [];
    while (replies.length < 3) replies.push(await ask(model.url, { ...way, turns }));
    expect(replies.map(({ status, retryAfter }) => [status, retryAfter])).toEqual([
      [529, "3"],
      [529, "3"],
      [200, null],
    ]);
    expect(replies[0]?.text).toContain("overloaded_error");
    expect(replies[2]?.text).toBe("through");
    expect(model.asks().map((asked) => asked.reply)).toEqual(["error", "error", "say"]);
  });

  test("a slow reply arrives whole", async () => {
    const { url } = await start();
    const heard = await ask(url, { ...way, turns: [user("[[slow 20 one two three four 👋]]")] });
    expect(heard.text).toBe("one two three four 👋");
    if (way.stream) expect(heard.deltas).toBeGreaterThan(5);
  });

  test("a hang ends when its client goes, and is logged so", async () => {
    const log = logFile();
    const model = await start({ log: log.path });
    const client = new AbortController();
    const response = await post(model.url, { ...way, turns: [user("[[hang]]")], signal: client.signal });
    expect(response.status).toBe(200);
    if (way.stream) {
      const first = await response.body?.getReader().read();
      expect(Buffer.from(first?.value ?? []).toString()).toMatch(/message_start|response\.created|"role":"assistant"/);
    }
    expect(model.asks()[0]?.outcome).toBe("open");
    client.abort();
    await expect.poll(() => model.asks()[0]?.outcome).toBe("aborted");
    expect(log.lines()).toMatchObject([{ wire: way.wire, reply: "hang", aborted: true }]);
  });

  test("a slow reply its client left is logged as aborted", async () => {
    const model = await start();
    const client = new AbortController();
    await post(model.url, { ...way, turns: [user("[[slow 3600000 never]]")], signal: client.signal });
    client.abort();
    await expect.poll(() => model.asks()[0]?.outcome).toBe("aborted");
  });

  test("side requests are answered but belong to no conversation", async () => {
    const log = logFile();
    const model = await start({ log: log.path });
    const turns = [user("[[error 500 1]] [[say hi]]")];
    const title = await ask(model.url, { ...way, turns, system: "You are a title generator." });
    expect(title.text).toBe("Side request title");
    const asked = [user("Please generate a short title for this: [[hang]]")];
    expect((await ask(model.url, { ...way, turns: asked })).text).toBe("Side request title");
    const summary = await ask(model.url, { ...way, turns, system: "You summarize conversations." });
    expect(summary.text).toBe("Side request summary");
    expect(model.asks()).toEqual([]);
    // The failure is still owed to the conversation itself.
    expect((await ask(model.url, { ...way, turns, tools: shellTools })).status).toBe(500);
    expect(log.lines()).toMatchObject([{ reply: "side" }, { reply: "side" }, { reply: "side" }, { reply: "error" }]);
  });

  test("a user who asks for a title with tools at hand is no side request", async () => {
    const { url } = await start();
    const text = "generate a title";
    expect((await ask(url, { ...way, tools: shellTools, turns: [user(text)] })).text).toBe(echoOf(text));
  });

  test("rules come before the script, step by step, the last one repeating", async () => {
    const over: LoggedAsk[] = [];
    const model = await start({
      rules: [
        {
          when: (asked) => asked.system.includes("coder"),
          steps: [
            () => ({ tool: "bash", args: { command: "ls" } }),
            (asked) => ({ say: `saw ${asked.toolResults.join("+")}`, usage: { input: 1, output: 2 } }),
          ],
          after: (asked) => over.push(asked),
        },
      ],
    });
    const question = { ...way, tools: shellTools, system: "you are coder" };
    expect((await ask(model.url, { ...question, turns: [user("[[say no]]")] })).calls).toHaveLength(1);
    const second = await ask(model.url, { ...question, turns: [user("go"), ran("a")] });
    expect(second).toMatchObject({ text: "saw a", usage: { input: 1, output: 2 } });
    expect((await ask(model.url, { ...question, turns: [user("go"), ran("a"), ran("b")] })).text).toBe("saw a+b");
    expect((await ask(model.url, { ...question, system: "other", turns: [user("[[say no]]")] })).text).toBe("no");
    expect(over.map(({ reply, outcome }) => [reply, outcome])).toEqual([
      ["tool", "sent"],
      ["say", "sent"],
      ["say", "sent"],
    ]);
    model.rules.unshift({ when: () => true, steps: [() => ({ say: "later rule" })] });
    expect((await ask(model.url, { ...question, turns: [user("go")] })).text).toBe("later rule");
  });
});

describe.for(wires)("%s", (wire) => {
  test("with a key set, nothing is said without it", async () => {
    const model = await start({ key: "k1" });
    const turns = [user("[[say in]]")];
    expect((await ask(model.url, { wire, turns })).status).toBe(401);
    expect((await ask(model.url, { wire, turns, key: "k2" })).status).toBe(401);
    expect((await ask(model.url, { wire, turns, key: "k1" })).text).toBe("in");
    const header = await fetch(`${model.url}/v1/models`, { headers: { "x-api-key": "k1" } });
    expect(header.status).toBe(200);
    expect(model.asks()).toHaveLength(1);
  });

  test("what the script decides on is the same on every wire", async () => {
    const seen: Ask[] = [];
    const keep = (asked: Ask): boolean => seen.push(asked) === 0;
    const { url } = await start({ rules: [{ when: keep, steps: [] }] });
    const turns = [user("one"), ran("r0"), { say: "fine" }, user("two"), ran("r1"), ran("r2")];
    await ask(url, { wire, turns, tools: shellTools, system: "be good" });
    expect(seen).toMatchObject([
      {
        wire,
        model: "scripted-large",
        tools: ["bash", "write"],
        lastUser: "two",
        toolResults: ["r1", "r2"],
        answered: 2,
      },
    ]);
    expect(seen[0]?.system).toContain("be good");
  });

  test("text a harness adds under the user's role is not the user's", async () => {
    const { url } = await start();
    const added = "<system-reminder>[[say wrong]]</system-reminder>";
    const quoting = "what is <system-reminder>x</system-reminder>?";
    expect((await ask(url, { wire, turns: [user("[[say right]]"), user(added)] })).text).toBe("right");
    expect((await ask(url, { wire, turns: [user(quoting)] })).text).toBe(echoOf(quoting));
  });

  test("a body that is no JSON object is the client's error", async () => {
    const { url } = await start();
    const path = {
      "anthropic-messages": "messages",
      "openai-responses": "responses",
      "openai-completions": "chat/completions",
    };
    for (const body of ["", "[1]", "{"])
      expect((await fetch(`${url}/v1/${path[wire]}`, { method: "POST", body })).status).toBe(400);
  });
});

test("the tools are used as each harness offers them", async () => {
  const { url } = await start();
  const turns = [user("[[bash ls]]")];
  const wire = "openai-responses";
  const called = async (tools: Record<string, readonly string[]>, said = turns): Promise<unknown> =>
    (await ask(url, { wire, turns: said, tools })).calls[0];
  expect(await called({ Bash: ["command", "description"] })).toMatchObject({ name: "Bash", args: { command: "ls" } });
  expect(await called({ exec_command: ["cmd"] })).toEqual({ name: "exec_command", args: { cmd: "ls" } });
  expect(await called({ shell: ["command"] })).toEqual({ name: "shell", args: { command: ["bash", "-lc", "ls"] } });
  const write = [user("[[write a/b it's]]")];
  expect(await called({ Write: ["file_path", "content"] }, write)).toMatchObject({ args: { file_path: "a/b" } });
  expect(await called({ write: ["filePath", "content"] }, write)).toMatchObject({ args: { filePath: "a/b" } });
  expect(await called({ exec_command: ["cmd"] }, write)).toEqual({
    name: "exec_command",
    args: { cmd: `mkdir -p "$(dirname 'a/b')" && printf %s 'it'\\''s' > 'a/b'` },
  });
  expect((await ask(url, { wire, turns })).text).toContain("No shell tool was offered");
});

test("a tool inside a Codex namespace is called with it", async () => {
  const { url } = await start();
  const response = await fetch(`${url}/v1/responses`, {
    method: "POST",
    body: zstdCompressSync(
      JSON.stringify({
        model: "m",
        input: "[[tool mcp__mosaic__send {}]]",
        tools: [{ type: "namespace", name: "mcp__mosaic", tools: [{ type: "function", name: "send" }] }],
      }),
    ),
    headers: { "content-encoding": "zstd" },
  });
  expect(await response.json()).toMatchObject({
    output: [{ type: "function_call", namespace: "mcp__mosaic", name: "send", arguments: "{}" }],
  });
});

test("an interrupted hang is passed when something follows it, and repeats when nothing does", async () => {
  const model = await start();
  const interrupt = async (text: string): Promise<void> => {
    const client = new AbortController();
    await post(model.url, { wire: "openai-completions", turns: [user(text)], signal: client.signal });
    client.abort();
  };
  await interrupt("[[hang]] [[say back]]");
  const again = await ask(model.url, { wire: "openai-completions", turns: [user("[[hang]] [[say back]]")] });
  expect(again.text).toBe("back");
  await interrupt("[[hang]]");
  await interrupt("[[hang]]");
  expect(model.asks().map((asked) => asked.reply)).toEqual(["hang", "say", "hang", "hang"]);
});

test("tokens are counted, models are listed, everything else is not found", async () => {
  const { url } = await start();
  const count = await fetch(`${url}/v1/messages/count_tokens?beta=true`, { method: "POST", body: '{"messages":[]}' });
  expect(await count.json()).toEqual({ input_tokens: 4 });
  expect(await (await fetch(`${url}/v1/models`)).json()).toMatchObject({ data: [{ id: "scripted-large" }] });
  expect((await fetch(`${url}/v2`)).status).toBe(404);
  expect((await fetch(`${url}/v1/messages`)).status).toBe(404);
});

test("a rule that throws is answered as a server error and the server lives on", async () => {
  const broken = (): never => {
    throw new Error("my mistake");
  };
  const model = await start({ rules: [{ when: (asked) => asked.lastUser === "bad", steps: [broken] }] });
  const heard = await ask(model.url, { wire: "openai-completions", turns: [user("bad")] });
  expect(heard).toMatchObject({ status: 500, text: expect.stringContaining("my mistake") as string });
  expect((await ask(model.url, { wire: "openai-completions", turns: [user("[[say ok]]")] })).text).toBe("ok");
});

test("closing cuts off what is open, twice if need be, and the log is whole", async () => {
  const log = logFile();
  const model = await startScriptedModel({ log: log.path });
  const response = await post(model.url, { wire: "openai-responses", turns: [user("[[hang]]")] });
  await model.close();
  await model.close();
  await expect(response.text()).rejects.toThrow();
  expect(log.lines()).toMatchObject([
    {
      wire: "openai-responses",
      model: "scripted-large",
      tools: [],
      len: 8,
      reply: "hang",
      outcome: "closed",
      aborted: false,
    },
  ]);
});
