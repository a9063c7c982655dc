import { freshId, halves } from "./voice.ts";
import type { Opening, Voice } from "./voice.ts";

/** OpenAI Chat Completions. */
export function chatVoice({ ask, usage, includeUsage }: Opening): Voice {
  const head = { id: freshId("chatcmpl"), created: Math.floor(Date.now() / 1000), model: ask.model };
  const calls: { id: string; type: "function"; function: { name: string; arguments: string } }[] = [];
  let text = "";
  const tokens = {
    prompt_tokens: usage.input,
    completion_tokens: usage.output,
    total_tokens: usage.input + usage.output,
    prompt_tokens_details: { cached_tokens: 0 },
    completion_tokens_details: { reasoning_tokens: 0 },
  };
  const chunk = (rest: object): string =>
    `data: ${JSON.stringify({ ...head, object: "chat.completion.chunk", ...rest })}\n\n`;
  const delta = (change: object): string => chunk({ choices: [{ index: 0, delta: change, finish_reason: null }] });
  const finish = (): string => (calls.length > 0 ? "tool_calls" : "stop");

  return {
    open: () => delta({ role: "assistant", content: "" }),
    say(piece) {
      text += piece;
      return delta({ content: piece });
    },
    call(name, args) {
      const index = calls.length;
      const call = {
        id: freshId("call"),
        type: "function",
        function: { name, arguments: JSON.stringify(args) },
      } as const;
      calls.push(call);
      return [
        delta({ tool_calls: [{ index, ...call, function: { name, arguments: "" } }] }),
        ...halves(call.function.arguments).map((half) =>
          delta({ tool_calls: [{ index, function: { arguments: half } }] }),
        ),
      ].join("");
    },
    close: () =>
      [
        chunk({ choices: [{ index: 0, delta: {}, finish_reason: finish() }] }),
        includeUsage ? chunk({ choices: [], usage: tokens }) : "",
        "data: [DONE]\n\n",
      ].join(""),
    whole: () => ({
      ...head,
      object: "chat.completion",
      choices: [
        {
          index: 0,
          message: {
            role: "assistant",
            content: calls.length > 0 && text === "" ? null : text,
            ...(calls.length > 0 ? { tool_calls: calls } : {}),
          },
          finish_reason: finish(),
        },
      ],
      usage: tokens,
    }),
  };
}
