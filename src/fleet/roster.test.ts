import { readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";

import fc from "fast-check";
import { expect, test } from "vitest";

import { FleetError } from "../lib/errors.ts";
import { addAgent, removeAgent, setValue } from "../roster/edit.ts";
import { parseRoster } from "../roster/load.ts";
import { findPresets } from "../roster/preset.ts";
import { composeRoster, reviseRoster } from "./compose.ts";

const least = `version: 1
fleet: acme
agents:
  - { name: mos, role: orchestrator, runtime: claude, workdir: ~/src }
  - { name: coder, role: worker, runtime: pi, model: anthropic/claude-sonnet-5, workdir: ~/src/app, prompt: "You own the app." }
  - { name: logs, role: worker, runtime: command, command: [tail, -f, /var/log/syslog], workdir: /tmp }
`;

test("the least roster of the contract is valid, and every default is filled in", () => {
  const roster = parseRoster(least, "r.yaml", "/home/me");
  expect(roster).toMatchObject({ fleet: "acme", tenant: "default", supervisor: "auto", warnings: [] });
  expect(roster.agents[0]).toEqual({
    name: "mos",
    role: "orchestrator",
    runtime: "claude",
    model: undefined,
    workdir: "/home/me/src",
    prompt: undefined,
    command: undefined,
    args: [],
    env: {},
    secrets: [],
    permissions: "full",
    restart: "always",
  });
});

test("defaults apply where an agent says nothing; env and secrets add up", () => {
  const text = `version: 1\nfleet: a\ndefaults: { workdir: ~/x, model: m, env: { A: "1", B: "1" }, secrets: [S], restart: never }\nagents:\n  - { name: mos, role: orchestrator, runtime: pi, model: own, env: { B: "2" }, secrets: [T], permissions: read }\n`;
  expect(parseRoster(text, "r", "/h").agents[0]).toMatchObject({
    workdir: "/h/x",
    model: "own",
    env: { A: "1", B: "2" },
    secrets: ["S", "T"],
    restart: "never",
    permissions: "read",
  });
});

test("unknown keys are kept and warned about, with their place", () => {
  const text = `${least}x-mine: 1\n`.replace("workdir: /tmp", "workdir: /tmp, colour: red");
  expect(parseRoster(text, "r.yaml", "/h").warnings).toEqual([
    "r.yaml:7:1: unknown key x-mine (kept)",
    "r.yaml:6:104: unknown key colour (kept)",
  ]);
});

test.for<[string, string, string]>([
  [
    "a wrong value",
    least.replace("runtime: pi", "runtime: vim"),
    'r:5:43: agents[1].runtime: Invalid option: expected one of "claude"|"pi"|"codex"|"opencode"|"command"',
  ],
  ["a missing key", "version: 1\nagents: []\n", "r:1:1: fleet: "],
  ["a doubled name", least.replace("coder", "mos"), "r:5:13: two agents are named mos"],
  [
    "two orchestrators",
    least.replace("role: worker", "role: orchestrator"),
    "r:5:26: mos and coder are both orchestrator; exactly one may be",
  ],
  ["none", least.replace("role: orchestrator", "role: worker"), "r:4:3: no agent is the orchestrator"],
  ["broken YAML", "version: 1\nfleet: [", "r:2:9: not valid YAML"],
])("%s is told with line and column", ([, text, said]) => {
  try {
    parseRoster(text, "r", "/h");
    expect.unreachable();
  } catch (error) {
    expect(error).toBeInstanceOf(FleetError);
    expect((error as FleetError).message).toContain(said);
    expect((error as FleetError).code).toBe("invalid-roster");
  }
});

const shipped = join(import.meta.dirname, "..", "roster", "presets");
const { presets, broken } = findPresets({ shipped, yours: "/nonexistent" });
const installed = { has: () => true, supports: () => true };

test("the four shipped presets are there, in order, each with one orchestrator and role texts worth reading", () => {
  expect(broken).toEqual([]);
  expect(presets.map((preset) => preset.name)).toEqual(["general", "coding", "research", "hybrid"]);
  expect(readdirSync(shipped)).toHaveLength(4);
  for (const { preset, text } of presets) {
    expect(preset.agents.filter((agent) => agent.role === "orchestrator")).toHaveLength(1);
    for (const agent of preset.agents) {
      expect(agent.prompt?.length, agent.name).toBeGreaterThan(400);
      expect([agent.runtime].flat().length, `${agent.name} names a fallback`).toBeGreaterThan(1);
      expect(agent.permissions, agent.name).toBeDefined();
    }
    expect(text).toBe(readFileSync(join(shipped, `${preset.preset.name}.yaml`), "utf8"));
  }
});

test("a runtime is the person's word, else the first wish that is installed, else the first that could be", () => {
  const coding = presets.find((preset) => preset.name === "coding");
  if (coding === undefined) throw new Error("coding is shipped");
  const answers = { name: "a", workdir: "~" };
  const runtimes = (text: string) => parseRoster(text, "r", "/h").agents.map((agent) => agent.runtime);
  const only = (name: string) => ({ has: (runtime: string) => runtime === name, supports: () => true });
  expect(runtimes(composeRoster(coding, answers, only("codex")))).toEqual(["codex", "codex", "codex", "codex"]);
  expect(runtimes(composeRoster(coding, answers, only("none")))).toEqual(["claude", "pi", "pi", "claude"]);
  expect(
    runtimes(composeRoster(coding, { ...answers, runtime: "opencode", orchestratorRuntime: "pi" }, installed)),
  ).toEqual(["pi", "opencode", "opencode", "opencode"]);
});

test("whatever is done to a roster, nobody ever sees one with no orchestrator or with two", () => {
  type Step = (text: string) => string;
  const names = ["mos", "coder", "helper", "x"];
  const revise =
    (type: string, name: string): Step =>
    (text) =>
      reviseRoster(
        text,
        parseRoster(text, "r", "/h"),
        { type: presets.find((one) => one.name === type), name },
        presets.find((one) => one.name === parseRoster(text, "r", "/h").preset),
        installed,
      );
  const step: fc.Arbitrary<Step> = fc.oneof(
    fc
      .tuple(fc.constantFrom("general", "coding", "research", "hybrid"), fc.constantFrom("a", "b"))
      .map(([type, name]) => revise(type, name)),
    fc.constantFrom(...names).map(
      (name): Step =>
        (text) =>
          removeAgent(text, name),
    ),
    fc.tuple(fc.constantFrom(...names), fc.constantFrom("orchestrator", "worker")).map(
      ([name, role]): Step =>
        (text) =>
          addAgent(text, { name, role, runtime: "pi" }),
    ),
    fc.tuple(fc.nat(4), fc.constantFrom("orchestrator", "worker")).map(
      ([at, role]): Step =>
        (text) =>
          setValue(text, ["agents", at, "role"], role),
    ),
  );
  const first = presets[1];
  if (first === undefined) throw new Error("presets are shipped");
  fc.assert(
    fc.property(fc.array(step, { maxLength: 12 }), (steps) => {
      let text = composeRoster(first, { name: "a", workdir: "~" }, installed);
      for (const one of steps) {
        let next: string;
        try {
          next = one(text);
          parseRoster(next, "r", "/h");
        } catch (error) {
          if (!(error instanceof FleetError)) throw error;
          continue; // refused: the roster stays as it was
        }
        text = next;
        expect(parseRoster(text, "r", "/h").agents.filter((agent) => agent.role === "orchestrator")).toHaveLength(1);
      }
    }),
    { numRuns: 60 },
  );
});

test("a relative work folder is meant from the home; arguments for a harness are not given to a program", () => {
  const text = `version: 1\nfleet: a\ndefaults: { workdir: src, args: [-x] }\nagents:\n  - { name: mos, role: orchestrator, runtime: pi }\n  - { name: co, runtime: command, command: [cat] }\n`;
  expect(parseRoster(text, "r", "/h").agents.map((agent) => [agent.workdir, agent.args])).toEqual([
    ["/h/src", ["-x"]],
    ["/h/src", []],
  ]);
});

test.for<[string, (text: string) => string]>([
  ["prompt", (text) => setValue(text, ["agents", 1, "prompt"], "mine")],
  ["permissions", (text) => setValue(text, ["agents", 1, "permissions"], "read")],
  ["model", (text) => setValue(text, ["agents", 1, "model"], "a/b")],
])("a worker whose %s a person changed stays at a change of type", ([, touch]) => {
  const by = (name: string) => presets.find((one) => one.name === name);
  const [coding, research] = [by("coding"), by("research")];
  if (coding === undefined || research === undefined) throw new Error("presets are shipped");
  const text = touch(composeRoster(coding, { name: "a", workdir: "~" }, installed));
  const name = parseRoster(text, "r", "/h").agents[1]?.name;
  const after = reviseRoster(text, parseRoster(text, "r", "/h"), { type: research }, coding, installed);
  expect(parseRoster(after, "r", "/h").agents.map((agent) => agent.name)).toContain(name);
  expect(parseRoster(after, "r", "/h").agents.map((agent) => agent.name)).not.toContain("reviewer");
});
