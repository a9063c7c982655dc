import type { AgentPlace } from "../contract/home.ts";
import { isGone, isLiving, signal } from "../lib/proc.ts";
import { until } from "../lib/wait.ts";
import { processState, readRun } from "./records.ts";

/**
 * Asks the agent to save and end, and ends it by signal where it does not. Returns whether it lived. Its wrapper has
 * then written exit code and last screen.
 */
export async function drain(place: AgentPlace, how: { ask: () => Promise<void>; graceMs: number }): Promise<boolean> {
  const run = readRun(place);
  if (run === undefined || processState(run) === "none") return false;
  signal(run.pid, "SIGCONT"); // a frozen agent could not end itself
  await how.ask();
  const gone = (withinMs: number) => until(() => (isLiving(run) ? undefined : true), { withinMs, everyMs: 20 });
  if (!(await gone(how.graceMs))) {
    signal(run.pid, "SIGTERM");
    if (!(await gone(3_000))) signal(run.pid, "SIGKILL");
    await gone(3_000);
  }
  // The wrapper writes the exit code and the last screen; its terminal then ends by itself.
  await until(() => (isGone(run.wrapper) ? true : undefined), { withinMs: 2_000, everyMs: 20 });
  return true;
}
