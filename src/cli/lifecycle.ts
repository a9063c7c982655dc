import type { AgentOutcome, Command } from "../contract/command.ts";
import { exitCodes } from "../lib/errors.ts";
import { painter, table, type Style } from "../lib/text.ts";
import type { Context } from "./context.ts";

/** `start`, `stop`, `restart`: of those named, or of all. */
export function lifecycle(
  context: Context,
  verb: "start" | "stop" | "restart",
  agents: readonly string[],
): Promise<number> {
  return carryOut(context, { by: context.by, do: verb, agents: agents.length === 0 ? "all" : agents });
}

/** `apply`: whatever the plan says. */
export function apply(context: Context): Promise<number> {
  return carryOut(context, { by: context.by, do: "apply" });
}

async function carryOut(context: Context, command: Command): Promise<number> {
  const outcome = await context.control.run(command, context.progress);
  if (!("agents" in outcome)) return 0;
  if (outcome.agents.length === 0) context.err("Nothing to do: the fleet is as its roster says.\n");
  else context.out(renderOutcomes(outcome.agents, context));
  const failed = outcome.agents.filter((one) => one.did === "failed");
  for (const one of failed) context.err(`Next: ${one.hint}\n`);
  if (failed.length > 0) return exitCodes.unreachable;
  if (outcome.did !== "stop" && outcome.agents.some((one) => one.did !== "nothing")) {
    context.err("Next: mosaic fleet ps\n");
  }
  return 0;
}

const styles: Record<AgentOutcome["did"], Style> = {
  started: "green",
  stopped: "green",
  restarted: "green",
  nothing: "dim",
  failed: "red",
};

function renderOutcomes(outcomes: readonly AgentOutcome[], { color }: Context): string {
  const paint = painter(color);
  return table(
    outcomes.map((one) => [one.agent, paint(styles[one.did], one.did === "nothing" ? "unchanged" : one.did), one.note]),
  );
}
