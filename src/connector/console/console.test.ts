import { getEventListeners } from "node:events";
import { join } from "node:path";

import { expect, onTestFinished, test } from "vitest";

import { scratchFolder } from "../../../test/scratch.ts";
import type { ConsoleLine } from "../../contract/console.ts";
import type { Inbound } from "../connector.ts";
import { consoleConnector } from "./console.ts";

async function setUp(folder = scratchFolder("console"), clock = { now: 1_000 }) {
  const connector = consoleConnector(join(folder, "console.db"), "ada", () => clock.now);
  const admitted: Inbound[] = [];
  const stop = new AbortController();
  let full = false;
  const intake = {
    admit: (batch: readonly Inbound[]) => {
      if (full) throw new Error("no space is left on the disk");
      const known = batch.some((row) => admitted.some((one) => one.id === row.id && one.revision === row.revision));
      if (!known) admitted.push(...batch);
      return [known ? ("known" as const) : ("new" as const)];
    },
    cursor: () => undefined,
    hold: () => {},
    release: () => {},
    known: () => new Map<string, string>(),
  };
  const running = connector.run({ intake, words: [], signal: stop.signal, tell: () => {}, log: () => {} });
  onTestFinished(async () => {
    stop.abort();
    await running;
  });
  const end = async () => {
    stop.abort();
    await running;
  };
  const text = (key: string) =>
    connector.send({ kind: "text", key, chat: "console", text: key }, new AbortController().signal);
  return { connector, door: connector.door, admitted, clock, end, text, fill: (is: boolean) => void (full = is) };
}

test("what is said is heard by the person of this machine, in order also under a clock that goes back, and shown once", async () => {
  const folder = scratchFolder("console");
  const first = await setUp(folder, { now: 5_000 });
  await first.door.say({ id: "1", text: "one" });
  await first.door.say({ id: "2", text: "two" });
  await first.door.say({ id: "2", text: "two" });
  await first.end();
  await expect(first.door.say({ id: "x", text: "x" })).rejects.toThrow(/not up/);
  const second = await setUp(folder, { now: 1_000 });
  await second.door.say({ id: "3", text: "three" });
  await second.door.choose({ id: "p", message: "m", choice: "allow" });
  const all = [...first.admitted, ...second.admitted];
  expect(all.map((row) => [row.kind, row.id, row.text, row.speaker.id, row.isToUs])).toEqual([
    ["message", "1", "one", "local", true],
    ["message", "2", "two", "local", true],
    ["message", "3", "three", "local", true],
    ["press", "m", "", "local", true],
  ]);
  for (const [at, row] of all.entries()) if (at > 0) expect(row.order).toBeGreaterThan(all[at - 1]?.order ?? 0n);
  const shown: ConsoleLine[] = [];
  for await (const line of second.door.follow(10, AbortSignal.timeout(20))) shown.push(line);
  expect(shown.map((line) => (line.kind === "said" ? line.text : line.kind))).toEqual(["one", "two", "three"]);
});

test("what cannot be kept is not shown as said", async () => {
  const rig = await setUp();
  rig.fill(true);
  await expect(rig.door.say({ id: "1", text: "one" })).rejects.toThrow(/no space/);
  rig.fill(false);
  await rig.door.say({ id: "1", text: "one" });
  const shown: ConsoleLine[] = [];
  for await (const line of rig.door.follow(10, AbortSignal.timeout(20))) shown.push(line);
  expect(shown).toHaveLength(1);
});

test("somebody who looks for long leaves nothing behind: no listener for each line, and nothing after they have gone", async () => {
  const rig = await setUp();
  const gone = new AbortController();
  const lines = rig.door.follow(0, gone.signal);
  for (let at = 0; at < 50; at++) {
    const next = lines.next();
    await rig.text(`line ${at}`);
    expect((await next).value).toMatchObject({ text: `line ${at}` });
  }
  expect(getEventListeners(gone.signal, "abort").length).toBeLessThan(3);
  gone.abort(); // while whoever looks is busy with the last line
  expect(await lines.next()).toMatchObject({ done: true });
});

test("who reads slower than lines come is let go of, and reads the rest when they come back", async () => {
  const rig = await setUp();
  const gone = new AbortController();
  const lines = rig.door.follow(1, gone.signal);
  await rig.text("first");
  expect((await lines.next()).value).toMatchObject({ text: "first" });
  const pending = lines.next();
  for (let at = 0; at < 3_000; at++)
    await rig.connector.send({ kind: "typing", key: `${at}`, chat: "console" }, gone.signal);
  await pending;
  let count = 0;
  for await (const line of lines) if (line.kind === "typing") count++;
  expect(count).toBeLessThan(1_500);
});
