import { addAssistant, assembleAsk, isHarnessWritten } from "./ask.ts";
import type { Ask, Offer, Turn, Wire } from "./ask.ts";

type Json = Record<string, unknown>;

const isJson = (value: unknown): value is Json => typeof value === "object" && value !== null && !Array.isArray(value);
const jsons = (value: unknown): Json[] => (Array.isArray(value) ? value.filter(isJson) : []);
const string = (value: unknown): string => (typeof value === "string" ? value : "");

/** The blocks of a message; a bare string is one text block. */
const blocks = (content: unknown): Json[] =>
  typeof content === "string" ? [{ type: "text", text: content }] : jsons(content);

const text = (content: unknown): string =>
  blocks(content)
    .flatMap((block) => (typeof block["text"] === "string" ? [block["text"]] : []))
    .join("\n");

/** Claude Code puts these words around a message from its inbox; only what stands between them was written by anybody. */
const peerFrame =
  /Another Claude session sent a message:\n([\s\S]*?)\n\nThis came from another Claude session — [^\n]*(?:\n|$)/g;

/** Adds a user turn unless the harness wrote every block of it. A message from an inbox is a turn of its own. */
function addUser(turns: Turn[], content: unknown): void {
  const own = blocks(content).filter((block) => block["type"] !== "tool_result" && !isHarnessWritten(text([block])));
  const whole = text(own);
  const say = (part: string) => turns.push({ role: "user", text: part });
  const frames = [...whole.matchAll(peerFrame)];
  if (frames.length === 0 && own.length > 0) say(whole);
  let end = 0;
  for (const [at, frame] of frames.entries()) {
    end = frame.index + frame[0].length;
    say(frame[1] ?? "");
    // What came after an interruption is sent in the same breath as what was interrupted.
    const rest = whole.slice(end, frames[at + 1]?.index).replace(/^\[Request interrupted by user[^\]]*\]\n?/, "");
    if (rest !== "") say(rest);
  }
}

function offer(name: unknown, schema: unknown): Offer {
  const properties = isJson(schema) ? schema["properties"] : undefined;
  return { name: string(name), fields: isJson(properties) ? Object.keys(properties) : [] };
}

function readAnthropic(body: Json): Ask {
  const turns: Turn[] = [];
  const system = [text(body["system"])];
  for (const message of jsons(body["messages"])) {
    const parts = blocks(message["content"]);
    if (message["role"] === "assistant") {
      const calls = parts.filter((part) => part["type"] === "tool_use").map((part) => string(part["name"]));
      addAssistant(turns, text(parts), calls);
    } else if (message["role"] === "system") system.push(text(parts));
    else {
      for (const part of parts)
        if (part["type"] === "tool_result") turns.push({ role: "tool", text: text(part["content"]) });
      addUser(turns, parts);
    }
  }
  const offers = jsons(body["tools"]).map((tool) => offer(tool["name"], tool["input_schema"]));
  return assembleAsk({
    wire: "anthropic-messages",
    model: string(body["model"]),
    system: system.join("\n"),
    offers,
    turns,
  });
}

function readResponses(body: Json): Ask {
  const turns: Turn[] = [];
  const system = [string(body["instructions"])];
  const input = body["input"];
  for (const item of typeof input === "string" ? [{ role: "user", content: input } satisfies Json] : jsons(input)) {
    const type = string(item["type"]);
    if (type.endsWith("_call_output")) turns.push({ role: "tool", text: text(item["output"]) });
    else if (type.endsWith("_call")) addAssistant(turns, "", [string(item["name"]) || type]);
    else if (item["role"] === "assistant") addAssistant(turns, text(item["content"]), []);
    else if (item["role"] === "user") addUser(turns, item["content"]);
    else if (item["role"] === "system" || item["role"] === "developer") system.push(text(item["content"]));
  }
  const offers = jsons(body["tools"]).flatMap((tool): Offer[] => {
    if (tool["type"] !== "namespace") return [offer(tool["name"] ?? tool["type"], tool["parameters"])];
    const namespace = string(tool["name"]);
    return jsons(tool["tools"]).map((inner) => {
      const bare = offer(inner["name"], inner["parameters"]);
      // Spelled as Claude Code spells an MCP tool, so that one script fits both.
      return { ...bare, name: `${namespace}__${bare.name}`, inside: { namespace, name: bare.name } };
    });
  });
  return assembleAsk({
    wire: "openai-responses",
    model: string(body["model"]),
    system: system.join("\n"),
    offers,
    turns,
  });
}

function readChat(body: Json): Ask {
  const turns: Turn[] = [];
  const system: string[] = [];
  for (const message of jsons(body["messages"])) {
    const content = message["content"];
    if (message["role"] === "assistant") {
      const calls = jsons(message["tool_calls"]).map((call) => call["function"]);
      addAssistant(
        turns,
        text(content),
        calls.map((call) => (isJson(call) ? string(call["name"]) : "")),
      );
    } else if (message["role"] === "tool") turns.push({ role: "tool", text: text(content) });
    else if (message["role"] === "user") addUser(turns, content);
    else system.push(text(content));
  }
  const offers = jsons(body["tools"]).flatMap((tool) => {
    const declared = tool["function"];
    return isJson(declared) ? [offer(declared["name"], declared["parameters"])] : [];
  });
  return assembleAsk({
    wire: "openai-completions",
    model: string(body["model"]),
    system: system.join("\n"),
    offers,
    turns,
  });
}

const readers: Record<Wire, (body: Json) => Ask> = {
  "anthropic-messages": readAnthropic,
  "openai-responses": readResponses,
  "openai-completions": readChat,
};

export interface Incoming {
  ask: Ask;
  stream: boolean;
  /** Only Chat Completions makes usage in a stream optional. */
  includeUsage: boolean;
}

/** Parses one request body; undefined when it is not a JSON object. */
export function readAsk(wire: Wire, raw: string): Incoming | undefined {
  let body: unknown;
  try {
    body = JSON.parse(raw);
  } catch {
    return undefined;
  }
  if (!isJson(body)) return undefined;
  const options = body["stream_options"];
  return {
    ask: readers[wire](body),
    stream: body["stream"] === true,
    includeUsage: isJson(options) && options["include_usage"] === true,
  };
}
