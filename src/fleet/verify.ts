import type { Finding } from "../contract/command.ts";
import { age } from "../lib/text.ts";
import { observe, type Observed } from "./observe.ts";
import { chooseSupervisor } from "./supervision.ts";
import type { World } from "./world.ts";

const well = new Set(["idle", "working", "running", "waiting-input", "waiting-permission"]);

/** Compares the fleet with its roster, agent by agent, by the same evidence as `ps`. */
export async function verifyFleet(world: World, daemonUp: boolean): Promise<Finding[]> {
  const { roster, agents } = await observe(world);
  const { kind } = chooseSupervisor(world, roster.supervisor);
  const findings: Finding[] = roster.warnings.map((text) => ({
    level: "note",
    text,
    next: `edit ${world.home.roster}`,
  }));
  findings.push(
    daemonUp
      ? { level: "good", text: "the daemon is up" }
      : { level: "bad", text: `the daemon is down: ${withoutDaemon[kind]}`, next: "mosaic fleet start" },
  );
  return [...findings, ...agents.map(judgeAgent)];
}

/** What is missing while the daemon is down. */
export const withoutDaemon = {
  builtin: "nothing restarts an agent that ends",
  systemd: "agents that cannot beat by themselves do not beat",
} as const;

function judgeAgent({ agent, derived, status, unit }: Observed): Finding {
  const { name } = agent;
  const since =
    derived.decided.at === undefined || status.evidence.age_ms === null ? "" : `, ${age(status.evidence.age_ms)} ago`;
  const said = `${name} is ${derived.state} (${derived.decided.source}: ${derived.decided.note}${since})`;
  if (!status.managed)
    return { level: "bad", text: `${name} runs and is not in the roster`, next: "mosaic fleet apply" };
  if (derived.state === "stopped" && unit.wanted === "down")
    return { level: "note", text: `${name} is stopped on purpose`, next: `mosaic fleet start ${name}` };
  if (unit.process === "none")
    return { level: "bad", text: said, next: `mosaic fleet ${unit.exit ? "explain" : "start"} ${name}` };
  if (!well.has(derived.state)) return { level: "bad", text: said, next: `mosaic fleet explain ${name}` };
  if (status.drift.length > 0)
    return { level: "bad", text: `${name}: ${status.drift.join("; ")}`, next: "mosaic fleet apply" };
  return { level: "good", text: said };
}
