import { expect, test } from "vitest";

import { parseDirectives } from "./directives.ts";

test("every verb is understood, in the order of the text", () => {
  const text =
    'go [[say hi there]] [[bash ls -l]] [[write a/b.txt two\nlines]] [[tool Read {"path":"x"}]] [[slow 30 well]] ' +
    "[[hang]] [[error 529 2 7]] [[error 500]] [[tokens 10 20]] end";
  expect(parseDirectives(text)).toEqual([
    { verb: "say", text: "hi there" },
    { verb: "bash", command: "ls -l" },
    { verb: "write", path: "a/b.txt", text: "two\nlines" },
    { verb: "tool", name: "Read", args: { path: "x" } },
    { verb: "slow", ms: 30, text: "well" },
    { verb: "hang" },
    { verb: "error", status: 529, times: 2, retryAfter: 7 },
    { verb: "error", status: 500, times: 1, retryAfter: undefined },
    { verb: "tokens", usage: { input: 10, output: 20 } },
  ]);
});

test("a command may carry directives for another agent, and bash tests of its own", () => {
  const inner = 'mosaic fleet send coder "[[bash mosaic fleet send mos "[[say hi]]"]]"';
  expect(parseDirectives(`[[bash ${inner}]] [[bash [[ -f x ]] && echo y]]`)).toEqual([
    { verb: "bash", command: inner },
    { verb: "bash", command: "[[ -f x ]] && echo y" },
  ]);
});

test("a bracket just before the end belongs to the argument", () => {
  expect(parseDirectives("[[say a[0]]]")).toEqual([{ verb: "say", text: "a[0]" }]);
  expect(parseDirectives('[[tool T {"a":[[1],[2]]}]]')).toEqual([{ verb: "tool", name: "T", args: { a: [[1], [2]] } }]);
});

test("what is no directive is ordinary text", () => {
  for (const text of ["", "[[", "]]", "[[saying x]]", "[[unknown x]]", "[[say open", "[say x]", "if [[ -f a ]]"])
    expect(parseDirectives(text), text).toEqual([]);
});

test("a directive is found behind brackets that are none", () => {
  expect(parseDirectives("[[[say x]] and [[ [[say y]]")).toEqual([
    { verb: "say", text: "x" },
    { verb: "say", text: "y" },
  ]);
});

test("a known verb with senseless arguments is reported, not passed over", () => {
  for (const text of ["[[error soon]]", "[[slow x y]]", "[[tokens 1]]", "[[tool T {]]", "[[tool]]", "[[bash ]]"])
    expect(parseDirectives(text), text).toEqual([{ verb: "wrong", source: text }]);
});
