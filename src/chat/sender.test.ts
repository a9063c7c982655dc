import { join } from "node:path";

import { expect, onTestFinished, test } from "vitest";

import { makeVillage, type Village } from "../../test/chat/village.ts";
import { scratchFolder } from "../../test/scratch.ts";
import { pause } from "../lib/wait.ts";
import { openLedger } from "./ledger.ts";
import { openOutbox, type Outbox } from "./outbox.ts";
import { sendWaiting } from "./sender.ts";

const to = { chat: "square" };

function setUp(village: Village, clock = { now: 1_000_000 }) {
  const ledger = openLedger(join(scratchFolder("sender"), "chat.db"));
  const kept = openOutbox(ledger, () => 2_000);
  /** What the next notes of what became of a row come to. */
  const faults: Error[] = [];
  const outbox: Outbox = {
    ...kept,
    move: (...args) => {
      const fault = faults.shift();
      if (fault !== undefined) throw fault;
      kept.move(...args);
    },
  };
  let isRefused = false;
  let upAt = 0;
  const stop = new AbortController();
  let rounds = Promise.resolve();
  let ring = () => {};
  const run = () => {
    const wait = () =>
      new Promise<void>((resolve) => {
        ring = resolve;
        stop.signal.addEventListener("abort", () => resolve(), { once: true });
      });
    const parts = {
      account: "a",
      connector: village.connector,
      outbox,
      now: () => clock.now,
      random: () => 1,
      log: () => {},
      isRefused: async () => isRefused,
      upAt: () => upAt,
    };
    rounds = sendWaiting(parts, wait, stop.signal);
  };
  onTestFinished(async () => {
    stop.abort();
    await rounds;
    ledger.database.close();
  });
  const states = (...keys: string[]) => keys.map((key) => outbox.find(key)?.state);
  return {
    outbox,
    faults,
    refuse: (refused: boolean) => void (isRefused = refused),
    up: () => void (upAt = clock.now),
    run,
    clock,
    states,
    ring: () => ring(),
    stop,
    text: (key: string, text = key) => outbox.say("a", to, key, { kind: "text", text }, clock.now),
  };
}
const keys = (village: Village) => village.sent.map((out) => out.key);
const settled = (outbox: Outbox, key: string) => expect.poll(() => outbox.find(key)?.state).toBe("sent");

test("texts of a chat go one after another, whatever fails in between; marks do not wait for them", async () => {
  const village = makeVillage();
  const rig = setUp(village);
  village.fail({ kind: "later", why: "busy", afterMs: 5_000 });
  for (const key of ["1", "2", "3"]) rig.text(key);
  rig.run();
  await expect.poll(() => rig.outbox.find("1")?.attempts).toBe(1);
  rig.outbox.say("a", to, "mark", { kind: "mark", message: "m", mark: "heard" }, rig.clock.now);
  rig.ring();
  await expect.poll(() => keys(village)).toEqual(["mark"]);
  rig.clock.now += 4_999; // not before the platform said
  rig.ring();
  await pause(20);
  expect(keys(village)).toEqual(["mark"]);
  rig.clock.now += 1;
  rig.ring();
  await settled(rig.outbox, "3");
  expect(keys(village)).toEqual(["mark", "1", "2", "3"]);
});

test("a limit of the whole account keeps every chat of it waiting, and so does its own budget", async () => {
  const village = makeVillage({ perSecond: 5 });
  const rig = setUp(village);
  village.fail({ kind: "later", why: "busy", afterMs: 5_000, wholeAccount: true });
  rig.text("1");
  rig.run();
  await expect.poll(() => rig.outbox.find("1")?.attempts).toBe(1);
  const others = Array.from({ length: 5 }, (_, at) => `other ${at}`);
  for (const key of others) rig.outbox.say("a", { chat: key }, key, { kind: "text", text: key }, rig.clock.now);
  rig.clock.now += 4_999;
  rig.ring();
  await pause(20);
  expect(keys(village)).toEqual([]);
  rig.clock.now += 1;
  rig.ring();
  await expect.poll(() => keys(village)).toHaveLength(others.length);
  await pause(20);
  // One of them all has to wait until the first second is over.
  expect(keys(village)).toHaveLength(others.length);
  rig.clock.now += 1_000;
  rig.ring();
  await expect.poll(() => keys(village)).toHaveLength(others.length + 1);
});

test("a chat whose room is used up waits, and no other does", async () => {
  const village = makeVillage();
  const rig = setUp(village);
  village.fail({ kind: "sent", ids: ["one"], restMs: 2_000 });
  rig.text("1");
  rig.text("2");
  rig.run();
  await settled(rig.outbox, "1");
  rig.outbox.say("a", { chat: "elsewhere" }, "3", { kind: "text", text: "3" }, rig.clock.now);
  rig.clock.now += 1_999;
  rig.ring();
  await settled(rig.outbox, "3");
  expect(rig.states("2")).toEqual(["new"]);
  rig.clock.now += 1;
  rig.ring();
  await settled(rig.outbox, "2");
});

test("when the connection is back, what an outage kept waits no longer; what the platform asked to wait for does", async () => {
  const village = makeVillage();
  const rig = setUp(village);
  village.fail({ kind: "later", why: "nobody there" }, { kind: "later", why: "busy", afterMs: 5_000 });
  rig.text("1");
  rig.run();
  await expect.poll(() => rig.outbox.find("1")?.attempts).toBe(1);
  rig.outbox.say("a", { chat: "busy" }, "2", { kind: "text", text: "2" }, rig.clock.now);
  rig.ring();
  await expect.poll(() => rig.outbox.find("2")?.attempts).toBe(1);
  rig.clock.now += 1;
  rig.ring();
  await pause(20);
  expect(keys(village)).toEqual([]);
  rig.up();
  rig.ring();
  await settled(rig.outbox, "1");
  await pause(20);
  expect(keys(village)).toEqual(["1"]);
});

test("what will never be taken is failed, and keeps nothing behind it", async () => {
  const village = makeVillage();
  const rig = setUp(village);
  village.fail({ kind: "never", why: "no" });
  rig.text("1");
  rig.text("2");
  rig.run();
  await settled(rig.outbox, "2");
  expect([rig.states("1"), keys(village)]).toEqual([["failed"], ["2"]]);
});

test("a file that the platform does not take is a word instead: what goes with it, why, and where it lies", async () => {
  const village = makeVillage();
  const rig = setUp(village);
  village.fail({ kind: "never", why: "You lack the right to attach files." });
  const saying = {
    kind: "file",
    path: "/home/me/a.md",
    name: "answer.md",
    text: "It begins so …",
    replyTo: "m",
  } as const;
  rig.outbox.say("a", to, "file", saying, rig.clock.now);
  rig.run();
  await settled(rig.outbox, "file unsent");
  expect(rig.states("file")).toEqual(["failed"]);
  expect(village.sent).toMatchObject([
    {
      kind: "text",
      replyTo: "m",
      text: "It begins so …\n(answer.md could not be sent: You lack the right to attach files. It lies in /home/me/a.md.)",
    },
  ]);
});

test("after a day nothing is tried any more", async () => {
  const village = makeVillage();
  const rig = setUp(village);
  rig.text("1");
  rig.clock.now += 25 * 3_600_000;
  village.fail({ kind: "later", why: "down" });
  rig.run();
  await expect.poll(() => rig.states("1")).toEqual(["failed"]);
});

test("a try that was cut off by a kill is made again with the same key where that is one message", async () => {
  const village = makeVillage();
  const rig = setUp(village);
  rig.text("1");
  const [row] = rig.outbox.waiting("a");
  rig.outbox.move(row?.seq ?? 0, "sending", rig.clock.now);
  await village.connector.send({ ...to, key: "1", kind: "text", text: "1" }, new AbortController().signal); // it got there
  rig.run();
  await settled(rig.outbox, "1");
  expect(keys(village)).toEqual(["1"]);
});

test("where it could be two, it is sent again and says so, once", async () => {
  const village = makeVillage({ idempotentMs: 0 });
  const rig = setUp(village);
  rig.text("1", "the answer");
  const [row] = rig.outbox.waiting("a");
  rig.outbox.move(row?.seq ?? 0, "sending", 0);
  rig.run();
  await settled(rig.outbox, "1 again");
  expect(rig.states("1")).toEqual(["unknown"]);
  expect(village.read()).toEqual(["(may repeat) the answer"]);
});

test("a platform that knows a key again for two minutes only is not trusted longer", async () => {
  const village = makeVillage({ idempotentMs: 120_000 });
  const rig = setUp(village);
  rig.text("1", "the answer");
  const [row] = rig.outbox.waiting("a");
  rig.outbox.move(row?.seq ?? 0, "sending", rig.clock.now);
  rig.clock.now += 120_000;
  rig.run();
  await settled(rig.outbox, "1 again");
  expect(village.read()).toEqual(["(may repeat) the answer"]);
});

test("of edits that wait only the newest is sent, and it finds the message by its key", async () => {
  const village = makeVillage();
  const rig = setUp(village);
  village.fail({ kind: "later", why: "busy", afterMs: 1_000 });
  rig.text("p", "one");
  rig.run();
  await expect.poll(() => rig.outbox.find("p")?.attempts).toBe(1);
  for (const text of ["two", "three", "four"])
    rig.outbox.say("a", to, `edit ${text}`, { kind: "edit", of: "p", text }, rig.clock.now);
  rig.clock.now += 1_000;
  rig.ring();
  await expect.poll(() => village.read()).toEqual(["four"]);
  expect(village.sent.map((out) => out.kind)).toEqual(["text", "edit"]);
});

test("is typing is worth nothing later; an edit of what was never sent neither", async () => {
  const village = makeVillage();
  const rig = setUp(village);
  rig.outbox.say("a", to, "t", { kind: "typing" }, rig.clock.now);
  rig.clock.now += 9_000;
  rig.outbox.say("a", to, "e", { kind: "edit", of: "nothing", text: "x" }, rig.clock.now);
  rig.run();
  await expect.poll(() => rig.states("t", "e")).toEqual(["failed", "failed"]);
  expect(village.sent).toEqual([]);
});

test("a database that cannot be written for a while ends nothing: it is sent when that has passed, and not in a busy loop", async () => {
  const village = makeVillage();
  const rig = setUp(village);
  rig.text("1");
  rig.faults.push(...Array.from({ length: 3 }, () => new Error("no space is left on the disk")));
  rig.run();
  await expect.poll(() => rig.faults.length).toBe(2);
  rig.text("2");
  rig.ring();
  await pause(20);
  expect([rig.faults.length, keys(village)], "it waits").toEqual([2, []]);
  await expect
    .poll(() => {
      rig.clock.now += 60_000;
      rig.ring();
      return rig.states("1");
    })
    .toEqual(["sent"]);
  await settled(rig.outbox, "2");
  expect(keys(village)).toEqual(["1", "2"]);
});

test("what a kill cut off cannot be noted at once: nothing ends, and it is sent", async () => {
  const village = makeVillage();
  const rig = setUp(village);
  rig.text("1");
  const [row] = rig.outbox.waiting("a");
  rig.outbox.move(row?.seq ?? 0, "sending", rig.clock.now);
  rig.faults.push(new Error("no space is left on the disk"));
  rig.run();
  await expect.poll(() => rig.faults).toEqual([]);
  rig.clock.now += 60_000;
  await expect
    .poll(() => {
      rig.ring();
      return rig.states("1");
    })
    .toEqual(["sent"]);
});

test("a chat in which thousands wait keeps no other chat waiting", async () => {
  const village = makeVillage();
  const rig = setUp(village);
  for (let at = 0; at < 1_100; at++) rig.text(`many ${at}`);
  rig.outbox.say("a", { chat: "zoo" }, "other", { kind: "text", text: "other" }, rig.clock.now);
  village.fail({ kind: "later", why: "limited", afterMs: 3_600_000 });
  rig.run();
  await settled(rig.outbox, "other");
  expect(keys(village)).toEqual(["other"]);
});

test("a clock that is set back keeps nothing waiting", async () => {
  const village = makeVillage();
  const rig = setUp(village);
  rig.text("1");
  village.fail({ kind: "later", why: "busy", afterMs: 1_000 });
  rig.run();
  await expect.poll(() => rig.outbox.find("1")).toMatchObject({ attempts: 1, state: "new" });
  rig.clock.now -= 900_000;
  rig.text("2");
  await expect
    .poll(() => {
      rig.ring();
      return rig.states("1", "2");
    })
    .toEqual(["sent", "sent"]);
  expect(keys(village)).toEqual(["1", "2"]);
});

test("while the token is refused nothing is given up; another token's connection sends it", async () => {
  const village = makeVillage();
  const rig = setUp(village);
  rig.text("1");
  rig.refuse(true);
  village.fail({ kind: "never", why: "401" });
  rig.run();
  await expect.poll(() => rig.outbox.find("1")?.attempts).toBe(1);
  await pause(20);
  expect(rig.states("1")).toEqual(["new"]);
  rig.ring();
  await pause(20);
  expect([rig.states("1"), rig.outbox.find("1")?.attempts], "and nothing tried").toEqual([["new"], 1]);
  rig.refuse(false);
  rig.run();
  await settled(rig.outbox, "1");
});
