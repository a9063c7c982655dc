import { join } from "node:path";

import { expect, onTestFinished, test } from "vitest";

import { scratchFolder } from "../../test/scratch.ts";
import { accept } from "./accept.ts";
import { remind } from "./owed.ts";
import { openStore } from "./store.ts";

const minute = 60_000;

test("a late answer is pointed out to the agent, then to the orchestrator, then to the person, once each", () => {
  const store = openStore(join(scratchFolder("mail"), "fleet.db"));
  onTestFinished(() => store.close());
  const told: string[] = [];
  const draft = { to: "co", from: { kind: "person", name: "me" }, mode: "next", body: "do it" } as const;
  const { id } = accept(store, { ...draft, answerWithinMs: 30 * minute }, 0);
  store.move(id, { state: "delivered", deliveredAt: 0 }, 0);
  const at = (now: number) =>
    remind(store, now, { orchestrator: "mos", tellOwner: (letter, why) => told.push(`${letter.id}: ${why}`) });
  const system = () => store.list({ from: "mosaic", last: 9 }).map((letter) => [letter.to, letter.body.includes(id)]);
  at(29 * minute);
  expect(system()).toEqual([]);
  at(30 * minute);
  at(31 * minute);
  expect(system()).toEqual([["co", true]]);
  at(40 * minute);
  at(41 * minute);
  expect(system()).toEqual([
    ["co", true],
    ["mos", true],
  ]);
  expect(told).toEqual([]);
  at(50 * minute);
  at(99 * minute);
  expect(told).toEqual([`${id}: co has not answered me for 50 minutes`]);
});

test("nobody is reminded of what was answered, or of a message that owes nothing", () => {
  const store = openStore(join(scratchFolder("mail"), "fleet.db"));
  onTestFinished(() => store.close());
  const draft = { to: "co", from: { kind: "person", name: "me" }, mode: "next", body: "x" } as const;
  const owed = accept(store, { ...draft, answerWithinMs: minute }, 0);
  const plain = accept(store, draft, 0);
  for (const { id } of [owed, plain]) store.move(id, { state: "delivered", deliveredAt: 0 }, 0);
  store.move(owed.id, { state: "answered", closed: true }, 1);
  remind(store, 99 * minute, { orchestrator: "mos", tellOwner: () => expect.fail("told") });
  expect(store.list({ from: "mosaic", last: 9 })).toEqual([]);
});

test("a reminder that was kept and not noted, for a kill came between, is the same one later, and nothing is in the way", () => {
  const store = openStore(join(scratchFolder("mail"), "fleet.db"));
  onTestFinished(() => store.close());
  const draft = { to: "co", from: { kind: "person", name: "me" }, mode: "next", body: "x" } as const;
  const { id } = accept(store, { ...draft, answerWithinMs: 30 * minute }, 0);
  store.move(id, { state: "delivered", deliveredAt: 0 }, 0);
  const who = { orchestrator: "mos", tellOwner: () => expect.fail("told") };
  const killed = () => {
    throw new Error("killed");
  };
  expect(() => remind({ ...store, nudged: killed }, 30 * minute, who)).toThrow("killed");
  remind(store, 34 * minute, who);
  expect(store.list({ from: "mosaic", last: 9 })).toHaveLength(1);
  expect(store.find(id)?.nudges).toBe(1);
});

test("an orchestrator is not told of what it asked itself, nor of what it was asked: then the person is", () => {
  const store = openStore(join(scratchFolder("mail"), "fleet.db"));
  onTestFinished(() => store.close());
  const told: string[] = [];
  const draft = { mode: "next", body: "x", answerWithinMs: minute } as const;
  const ids = [
    accept(store, { ...draft, to: "co", from: { kind: "agent", name: "mos" } }, 0),
    accept(store, { ...draft, to: "mos", from: { kind: "person", name: "me" } }, 0),
  ].map(({ id }) => id);
  for (const id of ids) store.move(id, { state: "delivered", deliveredAt: 0 }, 0);
  for (const at of [1, 11])
    remind(store, at * minute, { orchestrator: "mos", tellOwner: (letter) => told.push(letter.id) });
  expect(store.list({ from: "mosaic", last: 9 }).map((letter) => letter.to)).toEqual(["co", "mos"]);
  expect(told).toEqual(ids);
});
