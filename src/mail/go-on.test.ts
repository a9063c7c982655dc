import { join } from "node:path";

import { expect, onTestFinished, test } from "vitest";

import { scratchFolder } from "../../test/scratch.ts";
import type { Trace } from "../harness/harness.ts";
import { FleetError } from "../lib/errors.ts";
import { accept } from "./accept.ts";
import { deliver, type Gate } from "./deliver.ts";
import { openStore } from "./store.ts";

/** Two messages in the queue of a harness whose turn was just interrupted: it leaves them lying, as Codex does. */
async function interrupted() {
  const store = openStore(join(scratchFolder("mail"), "fleet.db"));
  onTestFinished(() => store.close());
  const open: Gate = { open: true, process: "run-1" };
  const harness = { gate: open as Gate, queue: [] as string[], read: [] as string[], asked: 0, hangs: false };
  const look = () =>
    deliver(
      store,
      "co",
      {
        gate: async () => harness.gate,
        async submit({ id }) {
          harness.queue.push(id);
          return { id, state: "queued", by: "fake" };
        },
        trace: async () => new Map(harness.read.map((id): [string, Trace] => [id, { acted: true }])),
        interrupt: async () => {},
        async goOn() {
          harness.asked++;
          if (harness.hangs) throw new FleetError("unreachable", "it does not answer");
          harness.read.push(...harness.queue.splice(0));
        },
        revived: undefined,
      },
      () => 1_000,
    );
  const say = (body: string) =>
    accept(store, { to: "co", from: { kind: "person", name: "me" }, mode: "next", body }, 1_000).id;
  const ids = [say("a"), say("b")];
  await look();
  expect([harness.queue, harness.asked]).toEqual([ids, 0]);
  return { store, harness, ids, look, open };
}

test("what an interruption leaves lying in a harness goes on, once", async () => {
  const { store, harness, ids, look } = await interrupted();
  await look();
  expect(harness.read).toEqual(ids);
  await look();
  expect(ids.map((id) => store.find(id)?.state)).toEqual(["acted", "acted"]);
  await look();
  expect(harness.asked).toBe(1); // what has begun needs nobody
});

test("not while a person is in the way, and not in a process that has not got it", async () => {
  const { harness, ids, look, open } = await interrupted();
  harness.gate = { open: false, as: "held", reason: "a question is open in its terminal", process: "run-1" };
  await look();
  expect([harness.asked, harness.read]).toEqual([0, []]);
  harness.gate = { open: true, process: "run-2" };
  await look();
  expect([harness.asked, harness.queue]).toEqual([0, [...ids, ...ids]]);
  harness.queue.splice(0, 2);
  harness.gate = { ...open, process: "run-2" };
  await look();
  expect(harness.read).toEqual(ids);
});

test("a harness that cannot be asked keeps nobody's mail", async () => {
  const { store, harness, ids, look } = await interrupted();
  harness.hangs = true;
  accept(store, { to: "co", from: { kind: "person", name: "me" }, mode: "next", body: "c" }, 1_000);
  await look();
  expect(harness.queue).toHaveLength(3);
  harness.hangs = false;
  await look();
  expect(harness.read.slice(0, 2)).toEqual(ids);
});
