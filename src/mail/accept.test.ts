import { join } from "node:path";

import { expect, onTestFinished, test } from "vitest";

import { scratchFolder } from "../../test/scratch.ts";
import { accept } from "./accept.ts";
import type { Draft } from "./letter.ts";
import { openStore } from "./store.ts";

const me = { kind: "person", name: "me" } as const;
const agent = (name: string) => ({ kind: "agent", name }) as const;

function setUp() {
  const store = openStore(join(scratchFolder("mail"), "fleet.db"));
  onTestFinished(() => store.close());
  const say = (draft: Partial<Draft>, now = 1_000, bounds?: Parameters<typeof accept>[3]) =>
    accept(store, { to: "mos", from: me, mode: "next", body: "hello", ...draft }, now, bounds);
  return { store, say };
}

test("the same id or key is the same message, and may not say something else", () => {
  const { store, say } = setUp();
  const first = say({ id: "a", key: "k" });
  expect(say({ id: "a" }).seq).toBe(first.seq);
  expect(say({ key: "k" }).id).toBe("a");
  expect(() => say({ id: "a", body: "other" })).toThrow("Another message has that id already");
  expect(() => say({ key: "k", to: "co" })).toThrow("Another message");
  expect(store.list({ last: 9 })).toHaveLength(1);
});

test("what was over long ago is forgotten with its history; what is open never", () => {
  const { store, say } = setUp();
  const [over, open] = [say({}, 1_000), say({}, 1_000)];
  store.move(over.id, { state: "failed", closed: true }, 2_000);
  expect(store.prune(2_000)).toBe(0);
  expect(store.prune(2_001)).toBe(1);
  expect([store.find(over.id), store.history(over.id)]).toEqual([undefined, []]);
  expect(store.history(open.id)).toHaveLength(1);
});

test("an empty message and one that is too long are refused, and leave nothing", () => {
  const { store, say } = setUp();
  expect(() => say({ body: " \n" })).toThrow("empty");
  expect(() => say({ body: "x".repeat(1024 * 1024 + 1) })).toThrow("1048577 bytes");
  expect(say({ body: "x".repeat(1024 * 1024) }).state).toBe("queued");
  expect(store.list({ last: 9 })).toHaveLength(1);
});

test("a reply that names a message answers it, and only who got that message may reply to it", () => {
  const { store, say } = setUp();
  const asked = say({ to: "co" });
  expect(() => say({ from: agent("x"), replyTo: asked.id })).toThrow("There is no message");
  expect(() => say({ from: agent("co"), replyTo: "nowhere" })).toThrow("There is no message");
  const reply = say({ from: agent("co"), replyTo: asked.id.slice(0, 8), body: "42" }, 2_000);
  expect(reply.replyTo).toBe(asked.id);
  expect(store.find(asked.id)).toMatchObject({ state: "answered", answer: "42", answeredAt: 2_000, closed: true });
});

test("messages of agents that follow from one another end; a person's begins anew", () => {
  const { store, say } = setUp();
  const bounds = { hops: 3, pair: 99, windowMs: 1_000 };
  const deliver = (id: string) => store.move(id, { state: "delivered", deliveredAt: 1_000 }, 1_000);
  deliver(say({ to: "a" }).id);
  for (const [from, to] of [
    ["a", "b"],
    ["b", "a"],
    ["a", "b"],
  ] as const) {
    deliver(say({ from: agent(from), to }, 1_000, bounds).id);
  }
  expect(() => say({ from: agent("b"), to: "a" }, 1_000, bounds)).toThrow("3 messages of agents followed");
  deliver(say({ to: "b" }).id);
  expect(say({ from: agent("b"), to: "a" }, 1_000, bounds).hops).toBe(1);
});

test("one agent may not flood another: a budget for each pair and window", () => {
  const { say } = setUp();
  const bounds = { hops: 99, pair: 2, windowMs: 1_000 };
  say({ from: agent("a"), to: "b" }, 1_000, bounds);
  say({ from: agent("a"), to: "b" }, 1_500, bounds);
  expect(() => say({ from: agent("a"), to: "b" }, 1_900, bounds)).toThrow("it sent 2 messages there");
  expect(say({ from: agent("a"), to: "c" }, 1_900, bounds).state).toBe("queued");
  expect(say({ to: "b" }, 1_900, bounds).state).toBe("queued");
  expect(say({ from: agent("a"), to: "b" }, 2_001, bounds).state).toBe("queued");
});

test("what was accepted before may be given again, whatever may not be sent any more", () => {
  const { say } = setUp();
  const bounds = { hops: 99, pair: 1, windowMs: 1_000 };
  const first = say({ id: "a", from: agent("a"), to: "b" }, 1_000, bounds);
  expect(say({ id: "a", from: agent("a"), to: "b" }, 1_001, bounds).seq).toBe(first.seq);
  expect(() => say({ id: "b", from: agent("a"), to: "b" }, 1_001, bounds)).toThrow("it sent 1 messages there");
});

test("a reply that was kept and did not reach what it answers, for a kill came between, does so when it is given again", () => {
  const { store, say } = setUp();
  const asked = say({ to: "co" });
  const reply: Draft = { id: "r", to: "mos", from: agent("co"), mode: "next", body: "42", replyTo: asked.id };
  const killed = () => {
    throw new Error("killed");
  };
  expect(() => accept({ ...store, move: killed }, reply, 2_000)).toThrow("killed");
  expect(store.find(asked.id)?.state).toBe("queued");
  const other = say({ to: "co" });
  accept(store, { ...reply, replyTo: other.id }, 3_000);
  expect(store.find(other.id)?.state).toBe("queued"); // it was kept as the answer to another
  accept(store, reply, 3_000);
  expect(store.find(asked.id)).toMatchObject({ state: "answered", answer: "42", closed: true });
  expect(store.list({ last: 9 })).toHaveLength(3);
});

test("a reply follows from what it answers, any other message from the newest that has got there", () => {
  const { store, say } = setUp();
  const deliver = (id: string) => store.move(id, { state: "delivered", deliveredAt: 1_000 }, 1_000);
  const asked = say({ to: "a" });
  deliver(asked.id);
  deliver(say({ from: agent("b"), to: "a" }).id);
  const far = say({ from: agent("a"), to: "c" });
  expect(far.hops).toBe(2);
  deliver(far.id);
  expect(say({ from: agent("c"), to: "a" }).hops).toBe(3); // and does not get there
  expect(say({ from: agent("a"), to: "mos" }).hops).toBe(2);
  expect(say({ from: agent("a"), to: "mos", replyTo: asked.id }).hops).toBe(1);
});
