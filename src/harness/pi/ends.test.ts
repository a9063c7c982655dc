import { expect, test } from "vitest";

import { endIn, type Kept } from "./ends.ts";

let clock = 0;
const came = (content: string): Kept => ({ role: "user", content, timestamp: (clock += 1) });
const said = (text: string, stopReason = "stop", errorMessage?: string): Kept => ({
  role: "assistant",
  content: [{ type: "text", text }],
  stopReason,
  ...(errorMessage !== undefined && { errorMessage }),
});
const tool: Kept[] = [said("", "toolUse"), { role: "toolResult", content: "ok" }];
const ends = (messages: readonly Kept[], ...texts: string[]) =>
  texts.map((text) => {
    const end = endIn(messages, { text, stamp: messages.find((one) => one.content === text)?.timestamp });
    return end?.kind === "answered" ? end.text : end?.why;
  });

test("a turn that is complete in the conversation is answered by its last words", () => {
  const rows = [came("a"), said("I look", "toolUse"), ...tool, said("found"), came("b"), said("own")];
  expect(ends(rows, "a", "b", "c")).toEqual(["found", "own", undefined]);
});

test("what came in while tools were used belongs to that turn", () => {
  expect(ends([came("a"), ...tool, came("s"), said("both")], "a", "s")).toEqual(["both", "both"]);
});

test("broken off, failed and cut off, and mended by another try", () => {
  const cut = "Pi ended before it had answered";
  expect(ends([came("a"), said("", "aborted"), came("b"), ...tool], "a", "b")).toEqual(["interrupted", cut]);
  expect(ends([came("a"), said("", "error", "500 no")], "a")).toEqual(["500 no"]);
  expect(ends([came("a"), said("", "error", "500 no"), said("after all")], "a")).toEqual(["after all"]);
  expect(ends([came("a")], "a")).toEqual([cut]);
});

test("of two that say the same, each has its own end", () => {
  const [first, second] = [came("go on"), came("go on")];
  const messages = [first, said("one"), second, said("two")];
  const text = "go on";
  expect([first, second].map((one) => endIn(messages, { text, stamp: one.timestamp }))).toMatchObject([
    { text: "one" },
    { text: "two" },
  ]);
});
