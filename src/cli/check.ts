import type { Finding } from "../fleet/finding.ts";
import { painter } from "../lib/text.ts";
import type { Context } from "./context.ts";
import { printJson } from "./print-json.ts";

/** `verify`: is the fleet as declared, and does every agent answer? */
export async function verify(context: Context, options: { json?: true | undefined }): Promise<number> {
  const { verifyFleet } = await import("../fleet/verify.ts");
  return show(context, await verifyFleet(context.world, await context.isDaemonUp()), options, 5);
}

/** `doctor`: can this machine run a fleet? */
export async function doctor(context: Context, options: { json?: true | undefined }): Promise<number> {
  const { examine } = await import("../fleet/doctor.ts");
  return show(context, await examine(context.world), options, 4);
}

function show(
  context: Context,
  findings: readonly Finding[],
  options: { json?: true | undefined },
  exit: number,
): number {
  const bad = findings.filter((one) => one.level === "bad");
  if (options.json) {
    printJson(context, { version: 1, ok: bad.length === 0, findings });
  } else {
    const paint = painter(context.color);
    const marks = { good: paint("green", "ok  "), note: paint("yellow", "note"), bad: paint("red", "bad ") };
    for (const one of findings)
      context.out(`${marks[one.level]}  ${one.text}\n${one.next === undefined ? "" : `      Next: ${one.next}\n`}`);
  }
  return bad.length === 0 ? 0 : exit;
}
