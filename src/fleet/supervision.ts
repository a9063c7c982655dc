import { FleetError } from "../lib/errors.ts";
import type { SupervisorKind } from "../supervisor/supervisor.ts";
import { lingers, whyUnreachable } from "../supervisor/systemd/systemctl.ts";
import type { World } from "./world.ts";

/** What keeps agents alive here, and why it is that. */
export interface Choice {
  kind: SupervisorKind;
  why: string;
}

/** The sentence for a roster that wants systemd where there is none. */
export function requireSupervisor(world: Pick<World, "systemd">, { kind }: Choice): void {
  const why = kind === "systemd" ? whyUnreachable(world.systemd) : undefined;
  if (why === undefined) return;
  throw new FleetError("conflict", `systemd cannot keep agents here: ${why}.`, {
    hint: "mosaic fleet init --supervisor auto --yes",
  });
}

/**
 * What the roster's setting means on this machine. `auto` hands agents to systemd only where they would outlive the last
 * logout: a fleet that is gone in the evening is worse than one without cgroups. Reads three files, starts nothing.
 */
export function chooseSupervisor(world: Pick<World, "systemd">, setting: "auto" | SupervisorKind): Choice {
  if (setting !== "auto") return { kind: setting, why: "the roster says so" };
  const why = whyUnreachable(world.systemd);
  if (why !== undefined) return { kind: "builtin", why };
  if (!lingers()) {
    return { kind: "builtin", why: "systemd would end the agents at your last logout (you do not linger)" };
  }
  return { kind: "systemd", why: "it is here, and you linger" };
}
