import { expect, test } from "vitest";

import { endIn, turnOf, type Kept } from "./trace.ts";

const asked = (id: string): Kept => ({ id, role: "user", time: { created: 1 } });
const answer = (parentID: string, text: string, more: Partial<Kept> = {}): Kept & { text: string } => ({
  id: `answer to ${parentID}`,
  role: "assistant",
  parentID,
  finish: "stop",
  time: { created: 2, completed: 3 },
  text,
  ...more,
});
const tools = (parentID: string) => answer(parentID, "", { finish: "tool-calls" });
const endOf = (...rows: Kept[]) => {
  const end = endIn(turnOf(rows), (one) => ("text" in one ? String(one.text) : ""));
  return end?.kind === "answered" ? end.text : end?.why;
};

test("a turn ends with its last answer, and goes on while tools are used", () => {
  expect(endOf(asked("a"))).toBeUndefined();
  expect(endOf(asked("a"), tools("a"))).toBeUndefined();
  expect(endOf(asked("a"), tools("a"), answer("a", "found"), asked("b"), answer("b", "own"))).toBe("found");
});

test("what came in meanwhile is answered for both", () => {
  expect(endOf(asked("a"), tools("a"), asked("b"), answer("b", "both"), asked("c"), answer("c", "own"))).toBe("both");
});

test("interrupted and failed are broken, and what was taken up again counts", () => {
  const aborted = answer("a", "", { error: { name: "MessageAbortedError" } });
  expect(endOf(asked("a"), aborted, asked("b"), answer("b", "own"))).toBe("interrupted");
  expect(endOf(asked("a"), aborted, answer("a", "after all"))).toBe("after all");
  expect(endOf(asked("a"), answer("a", "", { error: { name: "APIError", data: { message: "no" } } }))).toBe("no");
});
