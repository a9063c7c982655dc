import { expect, test } from "vitest";

import type { Asker, Command } from "../contract/command.ts";
import { judge } from "./policy.ts";

const person: Asker = { kind: "person" };
const agent = (name: string): Asker => ({ kind: "agent", name, token: "t" });
const all = ["mos", "co"];

test("no agent gives a permission, the orchestrator neither", () => {
  for (const role of ["orchestrator", "worker"] as const) {
    const by = { kind: "agent", name: "mos", token: "t" } as const;
    expect(() => judge({ by, do: "answer", id: "co/1", decision: "allow" }, { role }, ["mos", "co"])).toThrow(
      "a person's to give",
    );
  }
});

test("a person may all; whoever has no standing may nothing", () => {
  const commands: Command[] = [
    { by: person, do: "stop", agents: "all" },
    { by: person, do: "apply" },
    { by: person, do: "send", to: ["mos"], text: "x", mode: "next" },
  ];
  for (const command of commands) {
    expect(() => judge(command, undefined, all)).not.toThrow();
    expect(() => judge({ ...command, by: agent("co") }, undefined, all)).toThrow("token");
  }
});

test("the orchestrator runs the fleet, not itself", () => {
  const by = agent("mos");
  const standing = { role: "orchestrator" } as const;
  expect(() => judge({ by, do: "restart", agents: ["co"] }, standing, all)).not.toThrow();
  expect(() => judge({ by, do: "restart", agents: ["co", "mos"] }, standing, all)).toThrow("itself");
  expect(() => judge({ by, do: "stop", agents: "all" }, standing, all)).toThrow("itself");
  expect(() => judge({ by, do: "interrupt", agent: "mos" }, standing, all)).toThrow("itself");
});

test("a worker may send, to others, and nothing else", () => {
  const by = agent("co");
  const standing = { role: "worker" } as const;
  expect(() => judge({ by, do: "send", to: ["mos"], text: "x", mode: "next" }, standing, all)).not.toThrow();
  expect(() => judge({ by, do: "send", to: ["co"], text: "x", mode: "next" }, standing, all)).toThrow("itself");
  for (const command of [
    { do: "start", agents: ["mos"] },
    { do: "apply" },
    { do: "interrupt", agent: "mos" },
  ] as const) {
    expect(() => judge({ by, ...command }, standing, all)).toThrow("may send and look");
  }
});
