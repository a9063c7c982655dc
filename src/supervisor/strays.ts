import type { Home } from "../contract/home.ts";
import { markedProcesses, processOf, signal } from "../lib/proc.ts";
import { until } from "../lib/wait.ts";

/** Ends every process that carries the agent's mark, whatever became of its terminal. Never this process or its parents. */
export async function endStrays(home: Home, name: string): Promise<void> {
  const spared = ancestors();
  const strays = () =>
    markedProcesses([`MOSAIC_AGENT=${name}`, `MOSAIC_HOME=${home.root}`]).filter((pid) => !spared.has(pid));
  for (const kind of ["SIGTERM", "SIGKILL"] as const) {
    const found = strays();
    if (found.length === 0) return;
    for (const pid of found) signal(pid, kind);
    await until(() => (strays().length === 0 ? true : undefined), { withinMs: 2_000 });
  }
}

function ancestors(): Set<number> {
  const found = new Set<number>();
  for (let pid = process.pid; pid > 1 && !found.has(pid); pid = processOf(pid)?.parent ?? 0) found.add(pid);
  return found;
}
