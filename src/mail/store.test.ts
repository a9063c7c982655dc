import { join } from "node:path";

import { expect, onTestFinished, test } from "vitest";

import { scratchFolder } from "../../test/scratch.ts";
import { accept } from "./accept.ts";
import type { Draft } from "./letter.ts";
import { openStore } from "./store.ts";

function setUp() {
  const store = openStore(join(scratchFolder("mail"), "fleet.db"));
  onTestFinished(() => store.close());
  const say = (draft: Partial<Draft> = {}) =>
    accept(store, { to: "co", from: { kind: "person", name: "me" }, mode: "next", body: "x", ...draft }, 1_000);
  return { store, say };
}

test("a message is found by its id, or by how it begins where only one begins so", () => {
  const { store, say } = setUp();
  for (const id of ["ab-1", "ab-2", "ab-2-more", "c%"]) say({ id });
  const found = ["ab-1", "ab-2", "ab-2-", "ab", "c", "%", "", "d"].map((start) => store.find(start)?.id);
  expect(found).toEqual(["ab-1", "ab-2", "ab-2-more", undefined, "c%", undefined, undefined, undefined]);
});

test("tried again it waits anew: not over, not expired, with nobody, and whatever it is held for", () => {
  const { store, say } = setUp();
  const { id } = say({ expiresAt: 2_000 });
  store.attempt(id, 1_000);
  store.move(id, { state: "expired", reason: "late", closed: true }, 2_000);
  store.retry(id, 3_000);
  expect(store.find(id)).toMatchObject({
    state: "queued",
    reason: undefined,
    closed: false,
    forced: true,
    handedTo: undefined,
    expiresAt: undefined,
  });
  expect(store.due("co", 9).map((letter) => letter.id)).toEqual([id]);
  expect(store.history(id).map(({ state, note }) => [state, note])).toEqual([
    ["queued", undefined],
    ["expired", "late"],
    ["queued", "to be tried again"],
  ]);
});

test("why it waits is said of what nobody has, once, and of nothing else", () => {
  const { store, say } = setUp();
  const [waits, handed, other] = [say(), say(), say({ to: "mos" })];
  store.attempt(handed.id, 1_000);
  for (const reason of ["dead", "dead", "limited"]) store.shut("co", "held", reason, 2_000);
  expect(store.find(waits.id)).toMatchObject({ state: "held", reason: "limited" });
  expect(store.history(waits.id).map(({ note }) => note)).toEqual([undefined, "dead", "limited"]);
  for (const { id } of [handed, other]) expect(store.find(id)).toMatchObject({ state: "queued", reason: undefined });
});

test("a new reason in the same state is said; an answer's time is set once, and a reminder's new one stays", () => {
  const { store, say } = setUp();
  const { id } = say({ answerWithinMs: 1_000 });
  store.move(id, { state: "held", reason: "one" }, 1_000);
  store.move(id, { state: "held", reason: "two" }, 1_001);
  expect(store.find(id)).toMatchObject({ reason: "two", changedAt: 1_001, dueAt: undefined });
  store.move(id, { state: "delivered", reason: undefined, deliveredAt: 2_000 }, 2_000);
  expect(store.find(id)?.dueAt).toBe(3_000);
  store.nudged(id, 9_000);
  store.move(id, { state: "acted", deliveredAt: 5_000 }, 5_000);
  expect(store.find(id)).toMatchObject({ dueAt: 9_000, nudges: 1, deliveredAt: 2_000 });
  store.move(id, { state: "answered", closed: true }, 6_000);
  expect([store.find(id)?.dueAt, store.late(99_000)]).toEqual([undefined, []]);
});

test("who waits is counted for everybody of whom something is not over", () => {
  const { store, say } = setUp();
  const [a, b] = [say(), say()];
  say({ to: "mos" });
  const over = say({ to: "gone" });
  store.move(a.id, { state: "delivered", deliveredAt: 1_000 }, 1_000);
  store.move(over.id, { state: "failed", closed: true }, 1_000);
  expect([...store.waiting()]).toEqual([
    ["co", 1],
    ["mos", 1],
  ]);
  store.move(b.id, { state: "delivered", deliveredAt: 1_000 }, 1_000);
  expect(store.waiting().get("co")).toBe(0);
});
