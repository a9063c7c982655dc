import { event, freshId, halves } from "./voice.ts";
import type { Opening, Voice } from "./voice.ts";

type Block =
  | { type: "text"; text: string }
  | { type: "tool_use"; id: string; name: string; input: Record<string, unknown> };

/** Anthropic Messages. */
export function anthropicVoice({ ask, usage }: Opening): Voice {
  const id = freshId("msg");
  const content: Block[] = [];
  const cache = { cache_creation_input_tokens: 0, cache_read_input_tokens: 0 };
  const message = (output: number): object => ({
    id,
    type: "message",
    role: "assistant",
    model: ask.model,
    content: [],
    stop_reason: null,
    stop_sequence: null,
    usage: { input_tokens: usage.input, output_tokens: output, ...cache },
  });
  const stopReason = (): string => (content.at(-1)?.type === "tool_use" ? "tool_use" : "end_turn");
  const stopBlock = (): string =>
    content.length === 0 ? "" : event("content_block_stop", { index: content.length - 1 });
  const delta = (change: object): string => event("content_block_delta", { index: content.length - 1, delta: change });

  return {
    open: () => event("message_start", { message: message(1) }) + event("ping", {}),
    say(piece) {
      let sent = "";
      let block = content.at(-1);
      if (block?.type !== "text") {
        sent += stopBlock();
        block = { type: "text", text: "" };
        content.push(block);
        sent += event("content_block_start", { index: content.length - 1, content_block: { type: "text", text: "" } });
      }
      block.text += piece;
      return sent + delta({ type: "text_delta", text: piece });
    },
    call(name, args) {
      const before = stopBlock();
      const block = { type: "tool_use", id: freshId("toolu"), name, input: args } as const;
      content.push(block);
      return [
        before,
        event("content_block_start", { index: content.length - 1, content_block: { ...block, input: {} } }),
        ...halves(JSON.stringify(args)).map((half) => delta({ type: "input_json_delta", partial_json: half })),
      ].join("");
    },
    close: () =>
      [
        stopBlock(),
        event("message_delta", {
          delta: { stop_reason: stopReason(), stop_sequence: null },
          usage: { input_tokens: usage.input, output_tokens: usage.output, ...cache },
        }),
        event("message_stop", {}),
      ].join(""),
    whole: () => ({ ...message(usage.output), content, stop_reason: stopReason() }),
  };
}
