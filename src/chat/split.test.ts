import fc from "fast-check";
import { expect, test } from "vitest";

import { split } from "./split.ts";

const word = fc.oneof(
  fc.string({ minLength: 1, maxLength: 30 }),
  fc.constantFrom(
    "🎉🎉🎉",
    "https://example.org/a/long/way?with=things",
    "x".repeat(400),
    "```ts",
    "```",
    "~~~",
    "````md",
    "- item",
  ),
);
const texts = fc.array(word, { maxLength: 200 }).map((words) => words.join("\n"));
const unpaired = /[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/;

/** The part without its number. */
const body = (part: string) => part.replace(/^\(\d+\/\d+\)\n/, "");
const isEven = (part: string) => {
  let open: string | undefined;
  for (const line of part.split("\n")) {
    const [, marker, rest = ""] = /^(`{3,}|~{3,})([^\n]*)$/.exec(line) ?? [];
    if (marker === undefined) continue;
    if (open === undefined) open = marker;
    else if (rest.trim() === "" && marker.startsWith(open)) open = undefined;
  }
  return open === undefined;
};

test("every part fits, no character is cut, nothing is lost, fences are even", () => {
  fc.assert(
    fc.property(texts, fc.integer({ min: 200, max: 2_000 }), (text, limit) => {
      const parts = split(text, limit);
      for (const part of parts) expect(part.length).toBeLessThanOrEqual(limit);
      if (!unpaired.test(text)) for (const part of parts) expect(part).not.toMatch(unpaired);
      const bare = (some: string) => some.replaceAll(/^(`{3,}|~{3,}).*$/gm, "").replaceAll(/\s/g, "");
      expect(bare(parts.map(body).join("\n"))).toBe(bare(text));
      if (parts.length > 1 && isEven(text)) for (const part of parts) expect(isEven(body(part)), part).toBe(true);
    }),
    { numRuns: 400 },
  );
});

test("plain lines joined again are the text; parts are numbered; a short text is one part as it is", () => {
  const text = Array.from({ length: 400 }, (_, at) => `line ${at} ${"y".repeat(at % 40)}`).join("\n");
  const parts = split(text, 500);
  expect(parts.map(body).join("\n")).toBe(text);
  expect(parts[1]).toMatch(new RegExp(`^\\(2/${parts.length}\\)\\n`));
  expect(split("short ``` text", 500)).toEqual(["short ``` text"]);
  expect(split("", 500)).toEqual([]);
});

test("a fence that is cut is closed and opened again with its language", () => {
  const code = Array.from({ length: 60 }, (_, at) => `const a${at} = ${at};`).join("\n");
  const parts = split(`before\n\`\`\`ts\n${code}\n\`\`\`\nafter`, 300);
  expect(parts.length).toBeGreaterThan(2);
  for (const part of parts.slice(1, -1)) expect(body(part)).toMatch(/^```ts\n[\s\S]*\n```$/);
  expect(
    parts
      .map(body)
      .join("\n")
      .replaceAll(/\n```\n```ts/g, ""),
  ).toBe(`before\n\`\`\`ts\n${code}\n\`\`\`\nafter`);
});
