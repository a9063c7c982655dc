import type { Change } from "../contract/command.ts";
import type { SupervisorKind } from "../supervisor/supervisor.ts";
import { launchedAs } from "./launch.ts";
import type { Observed } from "./observe.ts";
import { plan } from "./plan.ts";
import type { World } from "./world.ts";

/** What apply would do now. */
export function planOf(world: World, kind: SupervisorKind, agents: readonly Observed[]): Change[] {
  return plan(
    kind,
    agents.filter((one) => one.managed).map((one) => one.agent),
    agents.map((one) => ({
      name: one.agent.name,
      wanted: one.unit.wanted,
      by: one.unit.by,
      running: one.unit.process !== "none",
      quarantined: one.unit.quarantined !== undefined,
      launched: launchedAs(world, one.agent.name)?.agent,
    })),
  );
}
