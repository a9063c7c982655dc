import type { Wire } from "./ask.ts";

/** A small harness for the tests: one conversation, spoken on any wire, read back without knowing which. */
export type Said = { user: string } | { say: string } | { call: string; args: Record<string, unknown>; result: string };

export interface Question {
  wire: Wire;
  turns: readonly Said[];
  system?: string;
  /** Tool names, with the names of their arguments. */
  tools?: Record<string, readonly string[]>;
  stream?: boolean;
  key?: string;
  signal?: AbortSignal;
}

export interface Heard {
  status: number;
  retryAfter: string | null;
  text: string;
  calls: { name: string; args: unknown }[];
  usage: { input: number; output: number };
  /** How many pieces of text came. */
  deltas: number;
}

const paths: Record<Wire, string> = {
  "anthropic-messages": "/v1/messages?beta=true",
  "openai-responses": "/v1/responses",
  "openai-completions": "/v1/chat/completions",
};

export const shellTools = { bash: ["command"], write: ["path", "content"] };

export function post(url: string, question: Question): Promise<Response> {
  const { wire, key, signal } = question;
  return fetch(`${url}${paths[wire]}`, {
    method: "POST",
    headers: { "content-type": "application/json", ...(key === undefined ? {} : { authorization: `Bearer ${key}` }) },
    body: JSON.stringify({ model: "scripted-large", stream: question.stream ?? true, ...bodies[wire](question) }),
    signal: signal ?? null,
  });
}

export async function ask(url: string, question: Question): Promise<Heard> {
  const response = await post(url, question);
  const raw = await response.text();
  const head = { status: response.status, retryAfter: response.headers.get("retry-after") };
  if (!response.ok) return { ...head, text: raw, calls: [], usage: { input: 0, output: 0 }, deltas: 0 };
  const data = raw.split("\n").filter((line) => line.startsWith("data: {"));
  const events = (question.stream ?? true) ? data.map((line) => parse(line.slice(6))) : [parse(raw)];
  return { ...head, ...readEvents(events) };
}

const schema = (fields: readonly string[]): object => ({
  type: "object",
  properties: Object.fromEntries(fields.map((field) => [field, { type: "string" }])),
});

const bodies: Record<Wire, (question: Question) => object> = {
  "anthropic-messages": ({ system, turns, tools = {} }) => ({
    system: [{ type: "text", text: system ?? "" }],
    tools: Object.entries(tools).map(([name, fields]) => ({ name, input_schema: schema(fields) })),
    messages: turns.flatMap((turn, at): object[] => {
      if ("user" in turn) return [{ role: "user", content: [{ type: "text", text: turn.user }] }];
      if ("say" in turn) return [{ role: "assistant", content: turn.say }];
      return [
        { role: "assistant", content: [{ type: "tool_use", id: `t${at}`, name: turn.call, input: turn.args }] },
        { role: "user", content: [{ type: "tool_result", tool_use_id: `t${at}`, content: turn.result }] },
      ];
    }),
  }),
  "openai-responses": ({ system, turns, tools = {} }) => ({
    instructions: system,
    tools: Object.entries(tools).map(([name, fields]) => ({ type: "function", name, parameters: schema(fields) })),
    input: turns.flatMap((turn, at): object[] => {
      if ("user" in turn) return [{ role: "user", content: [{ type: "input_text", text: turn.user }] }];
      if ("say" in turn) return [{ role: "assistant", content: [{ type: "output_text", text: turn.say }] }];
      return [
        { type: "function_call", call_id: `t${at}`, name: turn.call, arguments: JSON.stringify(turn.args) },
        { type: "function_call_output", call_id: `t${at}`, output: turn.result },
      ];
    }),
  }),
  "openai-completions": ({ system, turns, tools = {} }) => ({
    stream_options: { include_usage: true },
    tools: Object.entries(tools).map(([name, fields]) => ({
      type: "function",
      function: { name, parameters: schema(fields) },
    })),
    messages: [
      { role: "system", content: system ?? "" },
      ...turns.flatMap((turn, at): object[] => {
        if ("user" in turn) return [{ role: "user", content: turn.user }];
        if ("say" in turn) return [{ role: "assistant", content: turn.say }];
        const called = { name: turn.call, arguments: JSON.stringify(turn.args) };
        return [
          { role: "assistant", content: null, tool_calls: [{ id: `t${at}`, type: "function", function: called }] },
          { role: "tool", tool_call_id: `t${at}`, content: turn.result },
        ];
      }),
    ],
  }),
};

/** The fields of all three wires' events and whole replies that carry something; none means two things. */
interface Event {
  type?: string;
  delta?: string | { text?: string; partial_json?: string };
  content_block?: { type: string; name?: string };
  item?: Item;
  message?: unknown;
  content?: { type: string; text?: string; name?: string; input?: unknown }[];
  output?: Item[];
  response?: Event;
  choices?: { delta?: ChatMessage; message?: ChatMessage }[];
  usage?: Record<string, number> | null;
}
interface Item {
  type: string;
  name?: string;
  arguments?: string;
  content?: { text: string }[];
}
interface ChatMessage {
  content?: string | null;
  tool_calls?: { function: { name?: string; arguments: string } }[];
}

const parse = (json: string): Event => JSON.parse(json) as Event;

function readEvents(events: readonly Event[]): Pick<Heard, "text" | "calls" | "usage" | "deltas"> {
  const texts: string[] = [];
  const calls: { name: string; json: string }[] = [];
  let usage = { input: 0, output: 0 };
  const begin = (name: string, json = ""): void => void calls.push({ name, json });
  const extend = (json: string): void => {
    const call = calls.at(-1);
    if (call) call.json += json;
  };
  for (const event of events) {
    const { delta } = event;
    if (event.type === "response.output_text.delta" && typeof delta === "string") texts.push(delta);
    if (event.type === "response.function_call_arguments.delta" && typeof delta === "string") extend(delta);
    if (event.type === "response.output_item.added" && event.item?.type === "function_call")
      begin(event.item.name ?? "");
    if (event.content_block?.type === "tool_use") begin(event.content_block.name ?? "");
    if (typeof delta === "object" && delta.text !== undefined) texts.push(delta.text);
    if (typeof delta === "object" && delta.partial_json !== undefined) extend(delta.partial_json);
    for (const block of event.content ?? [])
      if (block.type === "text") texts.push(block.text ?? "");
      else begin(block.name ?? "", JSON.stringify(block.input));
    for (const item of event.output ?? [])
      if (item.type === "function_call") begin(item.name ?? "", item.arguments);
      else texts.push(...(item.content ?? []).map((part) => part.text));
    for (const choice of event.choices ?? []) {
      const message = choice.delta ?? choice.message;
      if (message?.content) texts.push(message.content);
      for (const { function: called } of message?.tool_calls ?? []) {
        if (called.name !== undefined) begin(called.name);
        extend(called.arguments);
      }
    }
    const tokens = event.usage ?? event.response?.usage;
    if (tokens)
      usage = {
        input: tokens["input_tokens"] ?? tokens["prompt_tokens"] ?? 0,
        output: tokens["output_tokens"] ?? tokens["completion_tokens"] ?? 0,
      };
  }
  const parsed = calls.map(({ name, json }) => ({ name, args: JSON.parse(json) as unknown }));
  return { text: texts.join(""), calls: parsed, usage, deltas: texts.length };
}
