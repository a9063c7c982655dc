import { readFileSync, statSync } from "node:fs";

import { agentPlace, type AgentPlace } from "../contract/home.ts";
import { namedAgent } from "../fleet/names.ts";
import { observe } from "../fleet/observe.ts";
import { age, painter, table, tame } from "../lib/text.ts";
import type { Rung } from "../status/derive.ts";
import type { Context } from "./context.ts";
import { printJson } from "./print-json.ts";

/** How much of a dying screen is worth reading at once. */
const lastWords = 15;

/** `explain`: the evidence that decided, all other evidence, and the last screen of an agent that ended. */
export async function explain(context: Context, name: string, options: { json?: true | undefined }): Promise<number> {
  const { world } = context;
  const one = namedAgent((await observe(world)).agents, name);
  const { derived, status, unit } = one;
  const screen = unit.process === "none" && unit.wanted === "up" ? screenOf(agentPlace(world.home, name)) : undefined;
  if (options.json) {
    const iso = (rung: Rung) => ({
      source: rung.source,
      state: rung.state ?? null,
      at: rung.at === undefined ? null : new Date(rung.at).toISOString(),
      note: rung.note,
    });
    const [decided, others] = [iso(derived.decided), derived.others.map(iso)];
    printJson(context, {
      version: 1,
      agent: name,
      state: derived.state,
      why: status.why,
      until: status.until,
      decided,
      others,
      drift: status.drift,
      restarts: unit.restarts,
      exit: unit.exit ?? null,
      screen: screen ?? null,
      facts: one.facts,
    });
    return 0;
  }
  const paint = painter(context.color);
  const now = world.now();
  const row = (rung: Rung, mark: string) => [
    mark,
    rung.source,
    rung.state ?? "-",
    rung.at === undefined ? "-" : `${age(Math.max(0, now - rung.at))} ago`,
    rung.note,
  ];
  context.out(`${name} is ${paint("bold", derived.state)}: ${derived.decided.note}\n\n`);
  context.out(
    table([row(derived.decided, paint("green", "decided")), ...derived.others.map((rung) => row(rung, "known"))]),
  );
  for (const drift of status.drift) context.out(`\ndrift: ${drift}\n`);
  if (screen !== undefined) context.out(`\nIts last screen:\n  ${screen.replaceAll("\n", "\n  ")}\n`);
  const next = {
    dead: `mosaic fleet start ${name}`,
    stopped: `mosaic fleet start ${name}`,
    unknown: `mosaic fleet restart ${name}`,
  }[derived.state as string];
  if (next !== undefined) context.err(`Next: ${next}\n`);
  return 0;
}

/** The last screen of the last run; an older run's would tell of something else. */
function screenOf({ screen, pid }: AgentPlace): string | undefined {
  try {
    if (statSync(screen).mtimeMs < statSync(pid).mtimeMs) return undefined;
    const lines = tame(readFileSync(screen, "utf8")).trimEnd().split("\n");
    return lines.slice(-lastWords).join("\n");
  } catch {
    return undefined;
  }
}
