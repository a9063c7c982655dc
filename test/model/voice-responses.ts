import { event, freshId, halves } from "./voice.ts";
import type { Opening, Voice } from "./voice.ts";

interface Message {
  type: "message";
  id: string;
  role: "assistant";
  text: string;
}
interface Call {
  type: "function_call";
  id: string;
  call_id: string;
  name: string;
  namespace?: string;
  arguments: string;
}
type Item = Message | Call;

const outputText = (text: string): object => ({ type: "output_text", text, annotations: [], logprobs: [] });

/** An item as the wire shows it, before (in progress, empty) and after it is said. */
function shown(item: Item, done: boolean): object {
  const status = done ? "completed" : "in_progress";
  if (item.type === "function_call") return { ...item, status, arguments: done ? item.arguments : "" };
  const { text, ...rest } = item;
  return { ...rest, status, content: done ? [outputText(text)] : [] };
}

/** OpenAI Responses. */
export function responsesVoice({ ask, usage }: Opening): Voice {
  const output: Item[] = [];
  let sequence = 0;
  const numbered = (name: string, data: object): string => event(name, { sequence_number: sequence++, ...data });
  const head = {
    id: freshId("resp"),
    object: "response",
    created_at: Math.floor(Date.now() / 1000),
    model: ask.model,
    error: null,
    incomplete_details: null,
  };
  const begun = { ...head, status: "in_progress", output: [], usage: null };
  const whole = (): object => ({
    ...head,
    status: "completed",
    output: output.map((item) => shown(item, true)),
    usage: {
      input_tokens: usage.input,
      input_tokens_details: { cached_tokens: 0 },
      output_tokens: usage.output,
      output_tokens_details: { reasoning_tokens: 0 },
      total_tokens: usage.input + usage.output,
    },
  });
  const index = (): number => output.length - 1;
  const place = (item: Item): object => ({ item_id: item.id, output_index: index() });
  const itemDone = (item: Item): string =>
    numbered("response.output_item.done", { output_index: index(), item: shown(item, true) });

  /** Ends a message that is still open; a call is whole as soon as it is made. */
  function endMessage(): string {
    const item = output.at(-1);
    if (item?.type !== "message") return "";
    const at = { ...place(item), content_index: 0 };
    return [
      numbered("response.output_text.done", { ...at, text: item.text, logprobs: [] }),
      numbered("response.content_part.done", { ...at, part: outputText(item.text) }),
      itemDone(item),
    ].join("");
  }

  function add(item: Item): string {
    output.push(item);
    return numbered("response.output_item.added", { output_index: index(), item: shown(item, false) });
  }

  return {
    open: () =>
      numbered("response.created", { response: begun }) + numbered("response.in_progress", { response: begun }),
    say(piece) {
      let sent = "";
      let item = output.at(-1);
      if (item?.type !== "message") {
        item = { type: "message", id: freshId("msg"), role: "assistant", text: "" };
        sent += add(item);
        sent += numbered("response.content_part.added", { ...place(item), content_index: 0, part: outputText("") });
      }
      item.text += piece;
      const at = { ...place(item), content_index: 0 };
      return sent + numbered("response.output_text.delta", { ...at, delta: piece, logprobs: [] });
    },
    call(tool, args) {
      const inside = ask.offers.find((offer) => offer.name === tool)?.inside;
      const item: Call = {
        type: "function_call",
        id: freshId("fc"),
        call_id: freshId("call"),
        ...(inside ?? { name: tool }),
        arguments: JSON.stringify(args),
      };
      return [
        endMessage(),
        add(item),
        ...halves(item.arguments).map((delta) =>
          numbered("response.function_call_arguments.delta", { ...place(item), delta }),
        ),
        numbered("response.function_call_arguments.done", {
          ...place(item),
          name: item.name,
          arguments: item.arguments,
        }),
        itemDone(item),
      ].join("");
    },
    close: () => endMessage() + numbered("response.completed", { response: whole() }),
    whole,
  };
}
