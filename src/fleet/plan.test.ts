import fc from "fast-check";
import { expect, test } from "vitest";

import type { Agent } from "../contract/agent.ts";
import { changedFields, plan, type Actual } from "./plan.ts";

const names = ["mos", "co", "co-1", "x"];
const agentOf = (name: string, change: Partial<Agent> = {}): Agent => ({
  name,
  role: name === "mos" ? "orchestrator" : "worker",
  runtime: "pi",
  model: undefined,
  workdir: "/",
  prompt: undefined,
  command: undefined,
  args: [],
  env: {},
  secrets: [],
  permissions: "full",
  restart: "always",
  ...change,
});
const agents = fc
  .uniqueArray(fc.constantFrom(...names), { minLength: 1 })
  .chain((chosen) =>
    fc.tuple(...chosen.map((name) => fc.constantFrom("a", "b").map((model) => agentOf(name, { model })))),
  );
const actuals = fc.uniqueArray(fc.constantFrom(...names)).chain((chosen) =>
  fc.tuple(
    ...chosen.map((name) =>
      fc.record<Actual>({
        name: fc.constant(name),
        wanted: fc.constantFrom("up", "down", "never"),
        running: fc.boolean(),
        quarantined: fc.boolean(),
        launched: fc.constantFrom(undefined, agentOf(name, { model: "a" })),
      }),
    ),
  ),
);

/** What apply does to reality, in the smallest words. */
function after(desired: readonly Agent[], actual: readonly Actual[]): Actual[] {
  const real = new Map(actual.map((one) => [one.name, one]));
  for (const change of plan(desired, actual)) {
    const launched = desired.find((agent) => agent.name === change.agent);
    const running = change.kind !== "stop";
    real.set(change.agent, {
      name: change.agent,
      wanted: running ? "up" : "down",
      running,
      quarantined: false,
      launched,
    });
  }
  return [...real.values()];
}

test("applying a plan leaves nothing to plan", () => {
  fc.assert(
    fc.property(agents, actuals, (d, a) => {
      expect(plan(d, after(d, a))).toEqual([]);
    }),
  );
});

test("nobody that a person stopped, and nobody held, is started; nobody of the roster is stopped", () => {
  fc.assert(
    fc.property(agents, actuals, (d, a) => {
      for (const change of plan(d, a)) {
        const now = a.find((one) => one.name === change.agent);
        if (change.kind === "start") expect(now?.wanted === "down" || now?.quarantined === true).toBe(false);
        if (change.kind === "stop") expect(d.map((agent) => agent.name)).not.toContain(change.agent);
      }
    }),
  );
});

test("a change names its fields, and the orchestrator starts first", () => {
  expect(changedFields(agentOf("co", { model: "b", prompt: "x" }), agentOf("co"))).toEqual(["model", "prompt"]);
  expect(plan([agentOf("co"), agentOf("mos")], []).map((change) => change.agent)).toEqual(["mos", "co"]);
});
