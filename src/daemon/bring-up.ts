import { chooseSupervisor } from "../fleet/supervision.ts";
import type { World } from "../fleet/world.ts";
import { FleetError } from "../lib/errors.ts";
import { until } from "../lib/wait.ts";
import { readRoster } from "../roster/cache.ts";
import { ensureDaemon } from "./ensure.ts";
import { daemonProcess } from "./serve.ts";

/** How long a daemon may take until its socket answers. */
const withinMs = 10_000;

/** For what only the daemon can do: it is up and listens when this returns. */
export async function bringUp(world: World): Promise<void> {
  const { home } = world;
  if (daemonProcess(home) === undefined) {
    const roster = await readRoster(home.roster, home.cache, home.user);
    await ensureDaemon(world, chooseSupervisor(world, roster.supervisor).kind);
  }
  const { connect } = process.getBuiltinModule("node:net");
  const listens = () =>
    new Promise<true | undefined>((resolve) => {
      const line = connect(home.api);
      line.once("connect", () => resolve(true)).once("error", () => resolve(undefined));
      line.once("connect", () => line.destroy());
    });
  if (await until(listens, { withinMs })) return;
  throw new FleetError("unreachable", "The daemon is up, and its socket does not answer.", {
    hint: "mosaic fleet logs",
  });
}
