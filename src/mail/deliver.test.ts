import fc from "fast-check";
import { expect, test } from "vitest";

import { Killed, setUp } from "../../test/mail/pretended.ts";
import type { Trace } from "../harness/harness.ts";
import { accept } from "./accept.ts";
import { deliver, type Door } from "./deliver.ts";

test("what is accepted is delivered once, in order, and its turn's text is its answer", async () => {
  const { store, harness, say, pump, bodies } = setUp();
  const first = say("one");
  say("two");
  await pump();
  await pump();
  expect(bodies()).toEqual(["one", "two"]);
  expect(store.find(first.id)).toMatchObject({ state: "delivered", attempts: 1 });
  harness.ended.set(first.id, { kind: "answered", text: "42", at: 5_000 });
  await pump();
  expect(store.find(first.id)).toMatchObject({ state: "answered", answer: "42", answeredAt: 5_000, closed: true });
  expect(store.history(first.id).map((step) => step.state)).toEqual(["queued", "delivered", "answered"]);
});

test("a turn that broke leaves the message acted on, with why; it may be taken up again, but not for ever", async () => {
  const { store, harness, say, pump, later } = setUp();
  const [a, b, c] = [say("a"), say("b"), say("c")];
  await pump();
  for (const { id } of [a, b]) harness.ended.set(id, { kind: "broken", why: "it was interrupted" });
  await pump();
  expect(store.find(a.id)).toMatchObject({ state: "acted", reason: "it was interrupted", closed: false });
  harness.ended.set(b.id, { kind: "answered", text: "after all" });
  later(11 * 60_000);
  await pump();
  expect(store.find(a.id)).toMatchObject({ state: "acted", reason: "it was interrupted", closed: true });
  expect(store.find(b.id)).toMatchObject({ state: "answered", answer: "after all" });
  later(25 * 3_600_000);
  await pump();
  expect(store.find(c.id)).toMatchObject({ state: "delivered", reason: "nothing more was heard of it", closed: true });
});

test("held and queued say why, and go out when the gate opens; urgent ones first, each sender's in order", async () => {
  const { store, harness, say, pump, bodies } = setUp();
  harness.gate = { open: false, as: "held", reason: "a permission question is open", process: "run-1" };
  const [a, , c] = [say("a"), say("b"), say("c", { mode: "steer" })];
  await pump();
  expect(store.find(a.id)).toMatchObject({ state: "held", reason: "a permission question is open", attempts: 0 });
  harness.gate = { open: false, as: "queued", reason: "it is dead", process: undefined };
  await pump();
  expect(store.find(c.id)).toMatchObject({ state: "queued", reason: "it is dead" });
  harness.gate = undefined;
  await pump();
  expect(bodies()).toEqual(["c", "a", "b"]);
});

test("a person's retry goes through whatever it is held for, but not to nobody", async () => {
  const { store, harness, say, pump, bodies } = setUp();
  harness.gate = { open: false, as: "held", reason: "not logged in", process: "run-1" };
  const [a] = [say("a"), say("b")];
  await pump();
  store.retry(a.id, 1_000);
  harness.busy = true;
  await pump();
  await pump();
  expect(store.find(a.id)?.attempts).toBe(1);
  // Nor to one that only starts: that says itself when it takes messages.
  const early = say("early");
  harness.gate = { open: false, as: "queued", reason: "it is starting", process: "run-2" };
  store.retry(early.id, 1_000);
  await pump();
  expect(store.find(early.id)?.attempts).toBe(0);
  store.takeBack(early.id, 1_000);
  harness.gate = { open: false, as: "held", reason: "not logged in", process: "run-1" };
  harness.turnEnds();
  await pump();
  expect(bodies()).toEqual(["a"]);
});

test("now ends the running turn first", async () => {
  const { harness, say, pump } = setUp();
  say("stop", { mode: "now" });
  await pump();
  say("sooner", { mode: "steer" });
  await pump();
  expect([harness.interrupted, harness.modes]).toEqual([1, ["steer", "steer"]]);
});

test("what waits in the harness's memory is not sent again while it lives, and is when that died unread", async () => {
  const { store, harness, say, pump, bodies } = setUp();
  harness.busy = true;
  const { id } = say("x");
  await pump();
  await pump();
  expect(store.find(id)).toMatchObject({ state: "queued", attempts: 1 });
  harness.dies();
  await pump();
  expect(bodies()).toEqual(["x"]);
  expect(store.find(id)).toMatchObject({ state: "delivered", attempts: 2 });
});

test("no more than 16 lie in a harness's own queue", async () => {
  const { harness, say, pump, bodies } = setUp();
  harness.busy = true;
  const all = Array.from({ length: 40 }, (_, at) => say(`m${at}`).body);
  await pump();
  expect(harness.memory).toHaveLength(16);
  while (bodies().length < 40) {
    harness.turnEnds();
    harness.busy = true;
    await pump();
  }
  expect(bodies()).toEqual(all);
});

test("what is late expires though the harness's queue is full", async () => {
  const { store, harness, say, pump, later } = setUp();
  harness.busy = true;
  for (let at = 0; at < 20; at++) say(`m${at}`);
  const { id } = say("x", { expiresAt: 2_000 });
  await pump();
  later(1_000);
  await pump();
  expect(store.find(id)?.state).toBe("expired");
});

test("urgent ones get there though the harness's queue is full, but not without end", async () => {
  const { harness, say, pump } = setUp();
  harness.busy = true;
  for (let at = 0; at < 20; at++) say(`m${at}`);
  await pump();
  const urgent = [say("sooner", { mode: "steer" }), say("now", { mode: "now" })].map(({ body }) => body);
  await pump();
  expect(harness.memory.slice(16).map((one) => one.text)).toEqual(urgent.toReversed());
  expect(harness.interrupted).toBe(1);
  for (let at = 0; at < 40; at++) say(`u${at}`, { mode: "steer" });
  await pump();
  expect(harness.memory).toHaveLength(32);
});

test("taken back while one before it is being brought: it is not brought", async () => {
  const { store, harness, say, bodies } = setUp();
  const [, second, third] = [say("a"), say("b"), say("c")];
  const door = harness.door();
  const submit: Door["submit"] = async (message) => {
    if (message.text === "a") expect(store.takeBack(second.id, 1_000)).toBe(true);
    // And what is being brought at this moment is not taken back any more.
    expect(store.takeBack(message.id, 1_000)).toBe(false);
    return door.submit(message);
  };
  await deliver(store, "co", { ...door, submit }, () => 1_000);
  expect(bodies()).toEqual(["a", "c"]);
  expect(store.find(second.id)).toMatchObject({ state: "failed", reason: "taken back by its sender", attempts: 0 });
  expect(store.find(third.id)?.state).toBe("delivered");
});

test("a refusal holds, an absence queues, and what is behind is not tried before it", async () => {
  const { store, harness, say, pump, bodies } = setUp();
  const [a, b] = [say("a"), say("b")];
  harness.fault = "refuses";
  await pump();
  expect(store.find(a.id)).toMatchObject({ state: "held", reason: "it does not take messages now" });
  expect(store.find(b.id)).toMatchObject({ state: "queued", attempts: 0 });
  harness.fault = "gone";
  await pump();
  expect(store.find(a.id)).toMatchObject({ state: "queued", reason: "it is not running" });
  await pump();
  expect(bodies()).toEqual(["a", "b"]);
});

test("what was refused or found nobody may be taken back; what may have got there, or has, may not", async () => {
  const { store, harness, say, pump } = setUp();
  for (const fault of ["refuses", "gone"] as const) {
    const { id } = say(fault);
    harness.fault = fault;
    await pump();
    expect([store.takeBack(id, 1_000), store.find(id)?.state]).toEqual([true, "failed"]);
  }
  const { id } = say("a");
  harness.fault = "killed-before";
  await expect(pump()).rejects.toThrow(Killed);
  expect([store.find(id)?.handedTo, store.takeBack(id, 1_000)]).toEqual(["?", false]);
  store.move(id, { state: "delivered", deliveredAt: 1_000 }, 1_000);
  store.hand(id, undefined);
  expect(store.takeBack(id, 1_000)).toBe(false);
});

test("typed is all that a terminal says, and the end of it", async () => {
  const { store, harness, say } = setUp();
  const { id } = say("x");
  const submit: Door["submit"] = async (message) => ({ id: message.id, state: "typed", by: "terminal" });
  for (let at = 0; at < 2; at++) await deliver(store, "co", { ...harness.door(), submit }, () => 1_000);
  expect(store.find(id)).toMatchObject({ state: "typed", closed: true, attempts: 1 });
});

test("when it entered the conversation and that its turn has begun are the harness's word; a long turn is not forgotten", async () => {
  const { store, harness, say, pump, later } = setUp();
  harness.busy = true;
  const { id } = say("x");
  await pump();
  later(25 * 3_600_000);
  await pump();
  // In its memory for a day: it has not been read, and is not given up.
  expect(store.find(id)).toMatchObject({ state: "queued", closed: false });
  let trace: Trace = { at: 5_000, acted: false };
  const hear = (at: number) =>
    deliver(store, "co", { ...harness.door(), trace: async () => new Map([[id, trace]]) }, () => at);
  const t = 26 * 3_600_000;
  await hear(t);
  expect(store.find(id)).toMatchObject({ state: "delivered", deliveredAt: 5_000 });
  trace = { at: 6_000, acted: true };
  await hear(t);
  expect(store.find(id)).toMatchObject({ state: "acted", deliveredAt: 5_000, reason: undefined });
  await hear(t + 3_600_000);
  expect(store.find(id)).toMatchObject({ state: "acted", closed: false });
  trace = { acted: true, end: { kind: "broken", why: "killed" } };
  await hear(t + 3_600_000);
  // Taken up again: it runs, and is not given up as one that broke.
  trace = { acted: false };
  await hear(t + 3_600_000 + 60_000);
  expect(store.find(id)).toMatchObject({ state: "acted", reason: undefined });
  await hear(t + 3_600_000 + 20 * 60_000);
  expect(store.find(id)?.closed).toBe(false);
});

test("what can never get there fails, and keeps nobody behind it", async () => {
  const { store, harness, say, pump, bodies } = setUp();
  const [a] = [say("a"), say("b")];
  harness.fault = "never";
  await pump();
  expect(store.find(a.id)).toMatchObject({ state: "failed", reason: "this text cannot be typed", closed: true });
  expect(bodies()).toEqual(["b"]);
});

test("a reply that comes while the harness is being asked is the answer, and stays it", async () => {
  const { store, harness, say, pump } = setUp();
  const { id } = say("x");
  await pump();
  const door = harness.door();
  const reply = () =>
    accept(store, { to: "me", from: { kind: "agent", name: "co" }, mode: "next", body: "42", replyTo: id }, 1_000);
  const trace: Door["trace"] = async () => {
    reply();
    return new Map([[id, { acted: true }]]);
  };
  await deliver(store, "co", { ...door, trace }, () => 1_000);
  expect(store.find(id)).toMatchObject({ state: "answered", answer: "42", closed: true });
});

test("what is late expires, but not what may be on its way", async () => {
  const { store, harness, say, pump, later } = setUp();
  harness.gate = { open: false, as: "queued", reason: "it is dead", process: undefined };
  const { id } = say("x", { expiresAt: 2_000 });
  await pump();
  later(1_000);
  await pump();
  expect(store.find(id)).toMatchObject({ state: "expired", closed: true });
  harness.gate = undefined;
  harness.busy = true;
  const other = say("y", { expiresAt: 3_000 });
  await pump();
  later(9_000);
  await pump();
  expect(store.find(other.id)?.state).toBe("queued");
});

test("what gets late while those before it are brought is not brought", async () => {
  const { store, harness, say, bodies } = setUp();
  let at = 1_000;
  const [, second] = [say("a"), say("b", { expiresAt: 2_000 }), say("c")];
  const door = harness.door();
  const slow: Door["submit"] = (message) => {
    at += 1_500;
    return door.submit(message);
  };
  await deliver(store, "co", { ...door, submit: slow }, () => at);
  expect([store.find(second.id)?.state, bodies()]).toEqual(["expired", ["a", "c"]]);
});

test("whatever dies when: each message arrives exactly once, byte for byte, each sender's in order", async () => {
  const step = fc.oneof(
    fc.record({
      do: fc.constant("say" as const),
      from: fc.constantFrom("a", "b", "c"),
      body: fc.string({ minLength: 1, unit: "binary" }).map((text) => `${text}.`),
    }),
    fc.record({ do: fc.constantFrom("pump", "harness-dies", "turn-ends", "busy", "shut", "open") }),
    fc.record({
      do: fc.constantFrom("killed-before" as const, "killed-after" as const, "refuses" as const, "gone" as const),
    }),
  );
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 40 }), async (steps) => {
      const { harness, say, pump, bodies } = setUp();
      const said: { from: string; text: string }[] = [];
      const attempt = () =>
        pump().catch((error: unknown) => {
          if (!(error instanceof Killed)) throw error;
        });
      for (const one of steps) {
        if ("from" in one) {
          const text = `${said.length} ${one.body}`;
          said.push({ from: one.from, text });
          say(text, { from: { kind: "person", name: one.from } });
        } else if (one.do === "pump") await attempt();
        else if (one.do === "harness-dies") harness.dies();
        else if (one.do === "turn-ends") harness.turnEnds();
        else if (one.do === "busy") harness.busy = true;
        else if (one.do === "shut") harness.gate = { open: false, as: "held", reason: "x", process: "run" };
        else if (one.do === "open") harness.gate = undefined;
        else harness.fault = one.do;
      }
      harness.gate = undefined;
      for (let at = 0; at < 12; at++) {
        harness.turnEnds();
        await attempt();
      }
      expect(bodies().toSorted()).toEqual(said.map((one) => one.text).toSorted());
      for (const sender of ["a", "b", "c"]) {
        const own = said.filter((one) => one.from === sender).map((one) => one.text);
        expect(bodies().filter((text) => own.includes(text))).toEqual(own);
      }
    }),
    { numRuns: 60 },
  );
});
