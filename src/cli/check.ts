import type { Finding } from "../contract/command.ts";
import { painter } from "../lib/text.ts";
import type { Context } from "./context.ts";
import { printJson } from "./print-json.ts";

/** `verify`: is the fleet as declared, and does every agent answer? */
export async function verify(context: Context, options: { json?: true | undefined }): Promise<number> {
  const { verifyFleet } = await import("../fleet/verify.ts");
  const { judgeChats } = await import("../fleet/judge-chats.ts");
  const isUp = await context.isDaemonUp();
  const findings = await verifyFleet(context.world, isUp);
  return show(context, [...findings, ...judgeChats(await (await context.connections()).list(), isUp)], options, 5);
}

/** `doctor`: can this machine run a fleet? */
export async function doctor(context: Context, options: { json?: true | undefined }): Promise<number> {
  const { examine } = await import("../fleet/doctor.ts");
  return show(context, await examine(context.world), options, 4);
}

/** `install`, `uninstall`: the fleet's units in the person's systemd. */
export async function units(
  context: Context,
  verb: "install" | "uninstall",
  options: { json?: true | undefined },
): Promise<number> {
  const outcome = await context.control.run({ by: context.by, do: verb }, context.progress);
  if (!("findings" in outcome)) return 0;
  const code = show(context, outcome.findings, options, 4);
  if (verb === "install" && code === 0) context.err("Next: mosaic fleet start\n");
  return code;
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
