import { expect, onTestFinished, test, vi } from "vitest";

import { Bell } from "./bell.ts";

test("a ring while nobody waits is kept; an end that came before the waiting began is one", async () => {
  vi.useFakeTimers();
  onTestFinished(() => void vi.useRealTimers());
  const never = new AbortController().signal;
  const bell = new Bell();
  const over: string[] = [];
  const wait = async (name: string, signal: AbortSignal) => {
    await bell.wait(2_000, signal);
    over.push(name);
  };
  bell.ring();
  await wait("rung before", never);
  await wait("ended before", AbortSignal.abort());
  const end = new AbortController();
  const ended = wait("ended", end.signal);
  end.abort();
  await ended;
  const timed = wait("in time", never);
  await vi.advanceTimersByTimeAsync(1_999);
  expect(over).toEqual(["rung before", "ended before", "ended"]);
  await vi.advanceTimersByTimeAsync(1);
  await timed;
  expect(over.at(-1)).toBe("in time");
});

test("whoever gave up waiting takes no ring from those who wait", async () => {
  vi.useFakeTimers();
  onTestFinished(() => void vi.useRealTimers());
  const never = new AbortController().signal;
  const bell = new Bell();
  const over: string[] = [];
  const wait = async (name: string, ms: number) => {
    await bell.wait(ms, never);
    over.push(name);
  };
  const [first, second] = [wait("given up", 1_000), wait("waits", 60_000)];
  await vi.advanceTimersByTimeAsync(1_000);
  await first;
  bell.ring();
  await vi.advanceTimersByTimeAsync(0);
  expect(over).toEqual(["given up", "waits"]);
  await second;
  const third = wait("the next", 60_000);
  await vi.advanceTimersByTimeAsync(1);
  expect(over).not.toContain("the next"); // that ring was heard
  bell.ring();
  await third;
});
