import { setTimeout as pause } from "node:timers/promises";

/** Asks again and again until the answer is there; undefined after the deadline. For facts that have no event to wait on. */
export async function until<T>(
  ask: () => T | undefined | Promise<T | undefined>,
  options: { withinMs: number; everyMs?: number; signal?: AbortSignal | undefined },
): Promise<T | undefined> {
  const deadline = Date.now() + options.withinMs;
  for (;;) {
    const answer = await ask();
    if (answer !== undefined) return answer;
    if (Date.now() >= deadline) return undefined;
    await pause(options.everyMs ?? 25, undefined, options.signal && { signal: options.signal });
  }
}
