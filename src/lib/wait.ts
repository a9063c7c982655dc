/** Waits that long, or until the signal; never throws. (`node:timers/promises` would cost every command 1 ms to load.) */
export function pause(ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      clearTimeout(timer);
      signal?.removeEventListener("abort", done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    if (signal?.aborted) done();
    signal?.addEventListener("abort", done);
  });
}

/** Asks again and again until the answer is there; undefined after the deadline. For facts that have no event to wait on. */
export async function until<T>(
  ask: () => T | undefined | Promise<T | undefined>,
  options: { withinMs: number; everyMs?: number },
): Promise<T | undefined> {
  const deadline = Date.now() + options.withinMs;
  for (;;) {
    const answer = await ask();
    if (answer !== undefined) return answer;
    if (Date.now() >= deadline) return undefined;
    await pause(options.everyMs ?? 25);
  }
}
