import { expect, test } from "vitest";

import type { Row } from "./transcript.ts";
import { followTurns } from "./turns.ts";

// Rows as Claude Code 2.1.330 writes them, shortened to what is read.
let clock = 0;
const stamp = () => new Date((clock += 1_000)).toISOString();
const came = (uuid: string): Row => ({
  type: "user",
  uuid,
  timestamp: stamp(),
  isMeta: true,
  promptId: `prompt of ${uuid}`,
  origin: { kind: "peer" },
  message: { content: `text of ${uuid}` },
});
const steered = (uuid: string): Row[] => {
  const waitsSince = stamp();
  return [
    { type: "queue-operation", operation: "remove", commandUuid: uuid, timestamp: stamp() },
    { type: "attachment", timestamp: waitsSince, attachment: { type: "queued_command", source_uuid: uuid } },
  ];
};
const said = (text: string, id = `msg ${(clock += 1)}`, stop = "end_turn"): Row => ({
  type: "assistant",
  timestamp: stamp(),
  message: { id, stop_reason: stop, content: [{ type: "text", text }] },
});
const tool: Row[] = [
  { type: "assistant", message: { id: "t", stop_reason: "tool_use", content: [{ type: "tool_use", name: "Bash" }] } },
  { type: "user", uuid: "result", message: { content: [{ type: "tool_result", content: "ok" }] } },
];
const done = (): Row => ({ type: "system", subtype: "turn_duration", timestamp: stamp() });
const broken: Row = { type: "user", interruptedMessageId: "x", message: { content: "[Request interrupted by user]" } };
const resumed: Row = {
  type: "assistant",
  message: { model: "<synthetic>", content: [{ type: "text", text: "No response requested." }] },
};

function ends(rows: readonly Row[], ...ids: string[]): (string | undefined)[] {
  const turns = followTurns();
  for (const row of rows) turns.read(row);
  return ids.map((id) => {
    const end = turns.find(id)?.turn.end;
    return end?.kind === "answered" ? end.text : end?.why;
  });
}

test("a turn is answered by its last words, when it is over and not before", () => {
  const rows = [came("a"), said("I look", "m1", "tool_use"), ...tool];
  expect(ends(rows, "a")).toEqual([undefined]);
  expect(ends([...rows, said("found it")], "a")).toEqual([undefined]);
  expect(ends([...rows, said("found it"), done()], "a", "prompt of a")).toEqual(["found it", "found it"]);
  expect(ends([...rows, said("one ", "m2"), said("two", "m2"), done()], "a")).toEqual(["one two"]);
});

test("messages read in one breath, and one that came in the middle, share the answer; the next has its own", () => {
  const rows = [came("a"), came("b"), ...tool, ...steered("c"), said("both"), done(), came("d"), said("own"), done()];
  expect(ends(rows, "a", "b", "c", "d", "e")).toEqual(["both", "both", "both", "own", undefined]);
  const turns = followTurns();
  for (const row of [came("a"), ...tool, ...steered("c")]) turns.read(row);
  expect([turns.find("a")?.acted, turns.find("c")?.acted]).toEqual([true, false]);
  // It entered when it was taken up, not when it began to wait.
  expect(turns.find("c")?.at).toBe(clock);
});

test("interrupted, failed, and cut off by a kill are broken, each with its reason", () => {
  const failed: Row = { ...said("API Error: 400 no"), isApiErrorMessage: true };
  expect(ends([came("a"), broken, came("b"), said("fine"), done()], "a", "b")).toEqual(["interrupted", "fine"]);
  expect(ends([came("a"), failed, came("b")], "a", "b")).toEqual(["API Error: 400 no", undefined]);
  const why = "Claude Code ended before it had answered";
  expect(ends([came("a"), ...tool, resumed, came("b"), said("back"), done()], "a", "b")).toEqual([why, "back"]);
  expect(ends([came("a"), ...tool, came("b")], "a", "b")).toEqual([why, undefined]);
});

test("a turn that goes on after an objection is open again, and one whose end nobody wrote down is known by the next", () => {
  expect(ends([came("a"), said("done?"), done(), said("now done")], "a")).toEqual([undefined]);
  expect(ends([came("a"), said("all"), came("b")], "a", "b")).toEqual(["all", undefined]);
});

test("a compaction is in nobody's way", () => {
  const summary: Row = {
    type: "user",
    isCompactSummary: true,
    message: { content: "This session is being continued" },
  };
  const command: Row = { type: "user", message: { content: "<command-name>/compact</command-name>" } };
  const rows = [
    came("a"),
    said("before"),
    done(),
    summary,
    command,
    came("b"),
    ...tool,
    summary,
    said("after"),
    done(),
  ];
  expect(ends(rows, "a", "b")).toEqual(["before", "after"]);
});

test("what a subagent says is no answer", () => {
  expect(ends([came("a"), said("mine"), { ...said("its own"), isSidechain: true }, done()], "a")).toEqual(["mine"]);
});
