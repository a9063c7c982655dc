/**
 * A process of its own that hands messages to an adapter, to be killed at any moment. Argument: what a desk is made of,
 * as JSON. On stdin one message a line; on stdout `begin ID`, then `end RECEIPT` or `failed WHY`. `{"trace": [ids]}` asks
 * instead, in a process that has never read the conversation before.
 */
import { createInterface } from "node:readline";

import type { Runtime } from "../../src/contract/agent.ts";
import type { Desk } from "../../src/harness/harness.ts";
import { harnessOf } from "../../src/harness/index.ts";

const [runtime = "", desk = ""] = process.argv.slice(2);
const harness = await harnessOf(runtime as Runtime);
for await (const line of createInterface({ input: process.stdin })) {
  const said = JSON.parse(line) as { id: string; text: string; mode: "next" | "steer"; trace?: string[] };
  const at = JSON.parse(desk) as Desk;
  if (said.trace !== undefined) {
    const found = (await harness.trace?.(at, said.trace)) ?? new Map();
    process.stdout.write(`${JSON.stringify(Object.fromEntries(found))}\n`);
    continue;
  }
  process.stdout.write(`begin ${said.id}\n`);
  try {
    process.stdout.write(`end ${JSON.stringify(await harness.submit(at, said))}\n`);
  } catch (error) {
    process.stdout.write(`failed ${String(error)}\n`);
  }
}
