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
  limits: undefined,
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
        by: fc.constantFrom("builtin", "systemd", undefined),
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
  for (const change of plan("systemd", desired, actual)) {
    const launched = desired.find((agent) => agent.name === change.agent);
    const running = change.kind !== "stop";
    real.set(change.agent, {
      name: change.agent,
      wanted: running ? "up" : "down",
      by: "systemd",
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
      expect(plan("systemd", d, after(d, a))).toEqual([]);
    }),
  );
});

test("nobody that a person stopped, and nobody held, is started; nobody of the roster is stopped", () => {
  fc.assert(
    fc.property(agents, actuals, (d, a) => {
      for (const change of plan("systemd", d, a)) {
        const now = a.find((one) => one.name === change.agent);
        if (change.kind === "start") expect(now?.wanted === "down" || now?.quarantined === true).toBe(false);
        if (change.kind === "stop") expect(d.map((agent) => agent.name)).not.toContain(change.agent);
      }
    }),
  );
});

test("a change names its fields, and the orchestrator starts first", () => {
  expect(changedFields(agentOf("co", { model: "b", prompt: "x" }), agentOf("co"))).toEqual(["model", "prompt"]);
  expect(plan("builtin", [agentOf("co"), agentOf("mos")], []).map((change) => change.agent)).toEqual(["mos", "co"]);
});

test("what runs otherwise than the roster says is restarted; who left is stopped, running or wanted", () => {
  const now = (name: string, more: Partial<Actual>): Actual => ({
    name,
    wanted: "up",
    by: "builtin",
    running: true,
    quarantined: false,
    launched: agentOf(name),
    ...more,
  });
  expect(plan("builtin", [agentOf("mos", { model: "b" })], [now("mos", {})])).toEqual([
    { kind: "restart", agent: "mos", why: "model changed" },
  ]);
  expect(
    plan("builtin", [], [now("co", { running: false }), now("x", { wanted: "down" })]).map((one) => [
      one.kind,
      one.agent,
    ]),
  ).toEqual([
    ["stop", "co"],
    ["stop", "x"],
  ]);
  expect(plan("systemd", [agentOf("mos")], [now("mos", {})])).toEqual([
    { kind: "restart", agent: "mos", why: "it moves to systemd" },
  ]);
});

test.for<[string, Partial<Agent>]>([
  ["runtime", { runtime: "codex" }],
  ["model", { model: "m" }],
  ["workdir", { workdir: "/x" }],
  ["prompt", { prompt: "p" }],
  ["command", { command: ["x"] }],
  ["args", { args: ["x"] }],
  ["env", { env: { A: "1" } }],
  ["secrets", { secrets: ["S"] }],
  ["permissions", { permissions: "read" }],
  ["restart", { restart: "never" }],
  ["limits", { limits: { memory: "1G" } }],
  ["role", { role: "orchestrator" }],
])("a change of %s is a change", ([field, change]) => {
  expect(changedFields(agentOf("co", change), agentOf("co"))).toEqual([field]);
});
