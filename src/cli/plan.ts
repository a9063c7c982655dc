import { observe } from "../fleet/observe.ts";
import { planOf } from "../fleet/plan-of.ts";
import { chooseSupervisor } from "../fleet/supervision.ts";
import { supported } from "../harness/index.ts";
import { painter, table } from "../lib/text.ts";
import type { Context } from "./context.ts";
import { printJson } from "./print-json.ts";

const signs = { start: "+", stop: "-", restart: "~" } as const;
const styles = { start: "green", stop: "red", restart: "yellow" } as const;

/** `plan`: what apply would do, and what it leaves alone on purpose. */
export async function showPlan(context: Context, options: { json?: true | undefined }): Promise<number> {
  const { roster, agents } = await observe(context.world);
  const changes = planOf(context.world, chooseSupervisor(context.world, roster.supervisor).kind, agents);
  const left = agents
    .filter(
      (one) => one.managed && one.unit.process === "none" && !changes.some((change) => change.agent === one.agent.name),
    )
    .map((one) => ({
      agent: one.agent.name,
      why: one.unit.quarantined ? `held: ${one.unit.quarantined.why}` : "stopped on purpose",
    }));
  if (options.json) {
    printJson(context, { version: 1, fleet: roster.fleet, changes, left, warnings: roster.warnings });
    return 0;
  }
  const paint = painter(context.color);
  for (const warning of roster.warnings) context.err(`${warning}\n`);
  context.out(
    table(
      changes.map((change) => [
        paint(styles[change.kind], `${signs[change.kind]} ${change.kind}`),
        change.agent,
        change.why,
      ]),
    ),
  );
  for (const { agent } of agents) {
    if (!supported.includes(agent.runtime))
      context.err(
        `${agent.name}: this version of mosaic cannot run ${agent.runtime} agents yet; start and apply will refuse.\n`,
      );
  }
  for (const one of left)
    context.err(`${one.agent} is left alone (${one.why}); to start it: mosaic fleet start ${one.agent}\n`);
  context.err(
    changes.length === 0 ? "Nothing to do: the fleet is as its roster says.\n" : "Next: mosaic fleet apply\n",
  );
  return 0;
}
