import { agentPlace } from "../contract/home.ts";
import { namedAgent } from "../fleet/names.ts";
import { observe } from "../fleet/observe.ts";
import { takingOver } from "../fleet/post.ts";
import { FleetError } from "../lib/errors.ts";
import type { Context } from "./context.ts";

/**
 * `attach` and `watch`: becomes the viewer, so that nothing of mosaic stays behind when the terminal goes away. Only
 * `--take-over` stays: while it lives, the agent's messages are held.
 */
export async function view(
  context: Context,
  name: string,
  { readOnly, takeOver }: { readOnly: boolean; takeOver?: true | undefined },
): Promise<number> {
  const { world } = context;
  const one = namedAgent((await observe(world)).agents, name);
  if (one.unit.process === "none") {
    throw new FleetError("unreachable", `${name} is ${one.derived.state}; it has no terminal.`, {
      hint: `mosaic fleet start ${name}`,
    });
  }
  if (context.by.kind === "agent" && !readOnly) {
    throw new FleetError("conflict", "An agent may not attach to another; it may watch.", {
      hint: `mosaic fleet watch ${name}`,
    });
  }
  if (!context.interactive) {
    throw new FleetError("usage", `${readOnly ? "watch" : "attach"} needs a terminal.`, {
      hint: `mosaic fleet tail ${name}`,
    });
  }
  const viewer = world.terminal.viewer({ name, socket: agentPlace(world.home, name).terminal }, { readOnly });
  if (!takeOver) return context.become(viewer);
  return takingOver(world, name, () => context.run(viewer));
}
