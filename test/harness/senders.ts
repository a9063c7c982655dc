import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { createInterface } from "node:readline";

import type { Runtime } from "../../src/contract/agent.ts";
import type { Desk, SubmitMode, Trace } from "../../src/harness/harness.ts";
import { pause } from "../../src/lib/wait.ts";

const program = join(import.meta.dirname, "sender.ts");

function start(runtime: Runtime, desk: Desk) {
  const child = spawn(process.execPath, [program, runtime, JSON.stringify(desk)], {
    stdio: ["pipe", "pipe", "inherit"],
  });
  child.stdin.on("error", () => undefined); // killed meanwhile
  return { child, lines: createInterface({ input: child.stdout })[Symbol.asyncIterator]() };
}

/** Lets a process of its own submit one message, and kills it `afterMs` after it has begun; true where it was too late. */
export async function killedSender(
  runtime: Runtime,
  desk: Desk,
  message: { id: string; text: string; mode: SubmitMode },
  afterMs: number,
): Promise<boolean> {
  const { child, lines } = start(runtime, desk);
  child.stdin.write(`${JSON.stringify(message)}\n`);
  await lines.next();
  const ended = lines.next();
  await pause(afterMs); // the moment of the kill is what is varied
  child.kill("SIGKILL");
  if (child.exitCode === null && child.signalCode === null) await once(child, "exit");
  return (await ended).done !== true;
}

/** What a process says that has never read the conversation before. */
export async function freshTrace(runtime: Runtime, desk: Desk, ids: readonly string[]): Promise<Record<string, Trace>> {
  const { child, lines } = start(runtime, desk);
  child.stdin.end(`${JSON.stringify({ trace: ids })}\n`);
  const { value } = await lines.next();
  return JSON.parse(String(value)) as Record<string, Trace>;
}
