import type { Agent } from "../contract/agent.ts";
import type { Change } from "../contract/command.ts";
import type { SupervisorKind } from "../supervisor/supervisor.ts";

/** What is known of one agent's reality, as far as a plan needs it. */
export interface Actual {
  name: string;
  wanted: "up" | "down" | "never";
  /** Which supervisor keeps it; undefined where none has started it yet. */
  by: SupervisorKind | undefined;
  running: boolean;
  quarantined: boolean;
  /** How it was launched; undefined where that is not known. */
  launched: Agent | undefined;
}

/** Fields that a running agent takes on with a new launch. */
const launchFields = [
  "runtime",
  "model",
  "workdir",
  "prompt",
  "command",
  "args",
  "env",
  "secrets",
  "permissions",
  "restart",
  "limits",
  "role",
] as const satisfies (keyof Agent)[];

/** The fields in which the roster and the launch differ. */
export function changedFields(agent: Agent, launched: Agent): string[] {
  if (JSON.stringify(agent) === JSON.stringify(launched)) return []; // nearly always, and much cheaper than field by field
  return launchFields.filter((field) => JSON.stringify(agent[field]) !== JSON.stringify(launched[field]));
}

/**
 * What would make reality match the roster. Pure; applying it leaves nothing to plan. What a person stopped stays
 * stopped, and what is held after crashes stays held: only `start` overrules those. The orchestrator is started first,
 * and what left the roster is stopped last.
 */
export function plan(kind: SupervisorKind, desired: readonly Agent[], actual: readonly Actual[]): Change[] {
  const real = new Map(actual.map((one) => [one.name, one]));
  const first = desired.toSorted((a, b) => Number(b.role === "orchestrator") - Number(a.role === "orchestrator"));
  const changes = first.flatMap((agent): Change[] => {
    const now = real.get(agent.name);
    if (now?.running === true) {
      if (now.launched === undefined) {
        return [{ kind: "restart", agent: agent.name, why: "it is not known how it was launched" }];
      }
      const fields = changedFields(agent, now.launched);
      if (fields.length > 0) return [{ kind: "restart", agent: agent.name, why: `${fields.join(", ")} changed` }];
      return now.by === kind ? [] : [{ kind: "restart", agent: agent.name, why: `it moves to ${kind}` }];
    }
    if (now?.wanted === "down" || now?.quarantined === true) return [];
    return [
      { kind: "start", agent: agent.name, why: now?.wanted === "up" ? "it should be running" : "new in the roster" },
    ];
  });
  const named = new Set(desired.map((agent) => agent.name));
  const orphans = actual.filter((one) => (one.running || one.wanted === "up") && !named.has(one.name));
  return [...changes, ...orphans.map((one): Change => ({ kind: "stop", agent: one.name, why: "not in the roster" }))];
}
