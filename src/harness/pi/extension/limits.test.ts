import { expect, test } from "vitest";

import { limitEnd } from "./limits.ts";

test.for<[string, string[], number | undefined]>([
  ["seconds", ["Content-Type", "text/plain", "Retry-After", "90"], 91_000],
  ["a date", ["retry-after", "Thu, 01 Jan 1970 00:10:00 GMT"], 600_000],
  ["milliseconds win", ["retry-after", "9", "retry-after-ms", "1500"], 2_500],
  ["nothing said", ["content-type", "retry-after"], undefined],
  ["nonsense", ["retry-after", "soon"], undefined],
])("when a limit ends: %s", ([, headers, end]) => {
  expect(limitEnd(headers, 1_000)).toBe(end);
});
