import { join } from "node:path";

import { namePattern } from "../contract/agent.ts";
import { FleetError } from "../lib/errors.ts";
import { readLog } from "../lib/log.ts";
import { painter, table, tame } from "../lib/text.ts";
import type { Context } from "./context.ts";

/** `logs`: what happened, newest last. Needs no roster, so it also tells of what went wrong with one. */
export async function logs(
  context: Context,
  agent: string | undefined,
  options: { lines: number; json?: true | undefined },
): Promise<number> {
  if (agent !== undefined && !namePattern.test(agent)) {
    throw new FleetError("not-found", `No agent is named ${JSON.stringify(agent)}.`, { hint: "mosaic fleet ps" });
  }
  const all = readLog(join(context.world.home.log, "fleet.jsonl"));
  const lines = (agent === undefined ? all : all.filter((line) => line.agent === agent)).slice(-options.lines);
  if (options.json) {
    context.out(lines.map((line) => `${JSON.stringify(line)}\n`).join(""));
    return 0;
  }
  if (lines.length === 0) context.err("Nothing happened yet. Next: mosaic fleet start\n");
  const paint = painter(context.color);
  context.out(
    table(lines.map((line) => [paint("dim", line.at), line.agent ?? "-", line.event, tame(line.note ?? "")])),
  );
  return 0;
}
