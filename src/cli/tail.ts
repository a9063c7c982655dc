import { readFileSync } from "node:fs";

import { agentPlace } from "../contract/home.ts";
import { deskOf, launchedAs } from "../fleet/launch.ts";
import { namedAgent } from "../fleet/names.ts";
import { observe } from "../fleet/observe.ts";
import { harnessOf } from "../harness/index.ts";
import { painter, tame } from "../lib/text.ts";
import type { Context } from "./context.ts";
import { printJson } from "./print-json.ts";

/** `tail`: the native transcript where the harness keeps one, else the terminal's text. */
export async function tail(
  context: Context,
  name: string,
  options: { lines: number; json?: true | undefined },
): Promise<number> {
  const { world } = context;
  const { roster, agents } = await observe(world, { only: name }).then(async (seen) =>
    seen.agents.length > 0 ? seen : observe(world),
  );
  const one = namedAgent(agents, name);
  const agent = launchedAs(world, name)?.agent ?? one.agent;
  const harness = await harnessOf(agent.runtime);
  if (one.unit.process === "none" && !harness.capabilities.transcript) return lastScreen(context, name, options);
  const said = await harness.tail(deskOf(world, roster.fleet, agent), options.lines);
  if (options.json) {
    printJson(context, { version: 1, agent: name, said });
    return 0;
  }
  if (said.length === 0) context.err(`Nothing was said yet. Next: mosaic fleet send ${name} "…"\n`);
  const paint = painter(context.color);
  const marks = { user: paint("bold", "→"), agent: paint("green", "←"), tool: paint("dim", "·") };
  for (const line of said) {
    const text = tame(line.text);
    if (!harness.capabilities.transcript) context.out(`${text}\n`);
    else context.out(`${marks[line.who]} ${text.trimEnd().replaceAll("\n", "\n  ")}\n`);
  }
  return 0;
}

/** A program that ended left its last screen; one that never ran left nothing. */
function lastScreen(context: Context, name: string, options: { lines: number; json?: true | undefined }): number {
  let text = "";
  try {
    text = readFileSync(agentPlace(context.world.home, name).screen, "utf8").trimEnd();
  } catch {
    // it never ran
  }
  const lines = text === "" ? [] : text.split("\n").slice(-options.lines);
  const said = lines.map((line) => ({ who: "agent", text: line }));
  if (options.json) printJson(context, { version: 1, agent: name, said });
  else context.out(lines.map((line) => `${tame(line)}\n`).join(""));
  if (lines.length === 0) context.err(`Nothing was said yet. Next: mosaic fleet start ${name}\n`);
  return 0;
}
