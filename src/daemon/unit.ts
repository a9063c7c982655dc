import { endOf } from "../fleet/lifecycle.ts";
import type { World } from "../fleet/world.ts";
import type { SystemdSupervisor } from "../supervisor/systemd/systemd.ts";
import { held } from "../supervisor/systemd/unit-text.ts";

/** What an agent's unit calls: `begin` before each start, `end` to let it save. Answers the exit code. */
export async function unit(
  world: World,
  systemd: SystemdSupervisor,
  what: "begin" | "end",
  name: string,
): Promise<number> {
  if (what === "begin") return (await systemd.begin(name, () => endOf(world, name))) === "go" ? 0 : held;
  await systemd.end(name, await endOf(world, name));
  return 0;
}
