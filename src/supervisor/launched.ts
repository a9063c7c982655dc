import { existsSync } from "node:fs";

import type { AgentPlace } from "../contract/home.ts";
import { FleetError } from "../lib/errors.ts";
import { until } from "../lib/wait.ts";
import { keyOf, readExit, readRun } from "./records.ts";

/**
 * Waits until the wrapper has said which process the agent is; throws where the launch ended without one. `before` names
 * the run before it. The exit code of that one must be gone: whatever comes now is this one's.
 */
export async function untilLaunched(
  name: string,
  place: AgentPlace,
  before: string,
  options: { withinMs?: number; why?: string } = {},
): Promise<void> {
  const said = await until(
    () => (keyOf(readRun(place)) !== before ? "runs" : existsSync(place.exit) ? "ended" : undefined),
    { withinMs: options.withinMs ?? 10_000, everyMs: 10 },
  );
  if (said === "runs") return;
  const code = readExit(place)?.code;
  const why = code === undefined ? (options.why === undefined ? "" : `: ${options.why}`) : ` (exit code ${code})`;
  throw new FleetError("unreachable", `${name} did not start${why}.`, { hint: `mosaic fleet explain ${name}` });
}
