import type { Agent } from "../contract/agent.ts";
import { asLaunched, deskOf } from "../fleet/launch.ts";
import { namedAgent } from "../fleet/names.ts";
import { observe } from "../fleet/observe.ts";
import { chooseSupervisor } from "../fleet/supervision.ts";
import { withoutDaemon } from "../fleet/verify.ts";
import { harnessOf, supported } from "../harness/index.ts";
import { painter, table } from "../lib/text.ts";
import type { Context } from "./context.ts";
import { printJson } from "./print-json.ts";

/** `status`: the fleet in a few lines; with a name, one agent in full. */
export async function status(
  context: Context,
  name: string | undefined,
  options: { json?: true | undefined },
): Promise<number> {
  const seen = await observe(context.world);
  const paint = painter(context.color);
  if (name !== undefined) {
    const found = namedAgent(seen.agents, name);
    const one = found.status;
    const capabilities = await capabilitiesOf(context, seen.roster.fleet, asLaunched(context.world, found));
    if (options.json) printJson(context, { version: 1, agent: one, capabilities });
    else {
      const rows = Object.entries({ ...one, capabilities }).map(([key, value]) => [paint("bold", key), plain(value)]);
      context.out(table(rows));
    }
    return 0;
  }
  const daemon = await context.isDaemonUp();
  const choice = chooseSupervisor(context.world, seen.roster.supervisor);
  if (options.json) {
    printJson(context, {
      ...seen.state,
      daemon: { up: daemon },
      supervisor: choice.kind,
      roster: context.world.home.roster,
    });
    return 0;
  }
  const counts = Map.groupBy(seen.agents, (one) => one.derived.state);
  const lead = seen.agents.find((one) => one.agent.role === "orchestrator");
  const drifting = seen.agents.filter((one) => one.status.drift.length > 0);
  context.out(
    table([
      [paint("bold", "fleet"), `${seen.roster.fleet} (${seen.roster.preset ?? "no preset"}) on ${context.world.host}`],
      [
        paint("bold", "orchestrator"),
        lead === undefined ? "none" : `${lead.agent.name}: ${lead.derived.state} (${lead.derived.decided.note})`,
      ],
      [paint("bold", "agents"), [...counts].map(([state, those]) => `${those.length} ${state}`).join(", ")],
      [
        paint("bold", "supervisor"),
        `${choice.kind} (${seen.roster.supervisor === "auto" ? `chosen: ${choice.why}` : choice.why}), daemon ${daemon ? "up" : paint("yellow", "down")}`,
      ],
      [paint("bold", "roster"), context.world.home.roster],
    ]),
  );
  for (const one of drifting) context.err(`${one.agent.name}: ${one.status.drift.join("; ")}\n`);
  if (drifting.length > 0) context.err("Next: mosaic fleet plan\n");
  else if (!daemon && seen.agents.some((one) => one.unit.wanted === "up"))
    context.err(`The daemon is down: ${withoutDaemon[choice.kind]}. Next: mosaic fleet start\n`);
  return 0;
}

/** What the adapter can do with the agent as it runs; null for a runtime that this version cannot run. */
async function capabilitiesOf({ world }: Context, fleet: string, agent: Agent): Promise<object | null> {
  if (!supported.includes(agent.runtime)) return null;
  const harness = await harnessOf(agent.runtime);
  return harness.capabilitiesOf?.(deskOf(world, fleet, agent)) ?? harness.capabilities;
}

function plain(value: unknown): string {
  if (value === null || value === undefined) return "-";
  if (Array.isArray(value)) return value.length === 0 ? "-" : value.join("; ");
  if (typeof value !== "object") return JSON.stringify(value).replaceAll('"', "");
  return Object.entries(value)
    .map(([key, part]) => `${key}=${plain(part)}`)
    .join("  ");
}
