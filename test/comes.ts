import { until } from "../src/lib/wait.ts";

/** Waits until there is something to see, and fails where it does not come: a wait that nobody looks at proves nothing. */
export async function comes<T>(
  look: () => T | undefined | Promise<T | undefined>,
  options: { withinMs: number; everyMs?: number },
): Promise<T> {
  const found = await until(look, options);
  if (found === undefined) throw new Error(`It did not come within ${options.withinMs} ms: ${String(look)}`);
  return found;
}
