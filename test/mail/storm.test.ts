import { spawn, type ChildProcess } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";

import { expect, onTestFinished, test } from "vitest";

import { openStore } from "../../src/mail/store.ts";
import { comes } from "../comes.ts";
import { scratchFolder } from "../scratch.ts";
import { bodyOf } from "./bodies.ts";

const senders = ["a", "b", "c", "d", "e", "f", "g", "h"];
const program = (name: string) => join(import.meta.dirname, `${name}.ts`);

/** Lays the storm's stage: a database, a harness, deliverers; each process comes back when it ends, until the storm is over. */
function setStage() {
  const folder = scratchFolder("storm");
  const place = {
    db: join(folder, "fleet.db"),
    lock: join(folder, "delivery.lock"),
    socket: join(folder, "harness.sock"),
    transcript: join(folder, "transcript.jsonl"),
  };
  let over = false;
  const living = new Map<string, ChildProcess>();
  const keep = (name: string, file: string, args: () => readonly string[], more?: (child: ChildProcess) => void) => {
    if (over) return;
    const child = spawn(process.execPath, [program(file), ...args()], { stdio: ["ignore", "pipe", "inherit"] });
    more?.(child);
    living.set(name, child);
    child.on("close", (code) => {
      living.delete(name);
      if (code !== 0) keep(name, file, args, more);
    });
  };
  onTestFinished(async () => {
    over = true;
    const ends = [...living.values()].map((child) => new Promise((resolve) => child.on("close", resolve)));
    for (const child of living.values()) child.kill("SIGKILL");
    await Promise.all(ends);
  });
  const acknowledged = new Set<string>();
  /** Starts a sender; after a kill it goes on behind what it has said. */
  const send = (name: string, count: number) => {
    let done = 0;
    keep(
      name,
      "sender",
      () => [place.db, name, String(done), String(count)],
      (child) => {
        let rest = "";
        child.stdout?.setEncoding("utf8").on("data", (part: string) => {
          rest += part;
          for (let end = rest.indexOf("\n"); end >= 0; end = rest.indexOf("\n")) {
            acknowledged.add(rest.slice(0, end));
            rest = rest.slice(end + 1);
            done++;
          }
        });
      },
    );
  };
  const transcript = () =>
    (existsSync(place.transcript) ? readFileSync(place.transcript, "utf8") : "").split("\n").flatMap((line) => {
      try {
        return [JSON.parse(line) as { id: string; text: string }];
      } catch {
        return [];
      }
    });
  openStore(place.db).close();
  keep("harness", "fake-harness", () => [place.socket, place.transcript]);
  for (const name of ["pump", "pump-2"]) keep(name, "pump", () => [place.db, place.lock, place.socket]);
  return { place, living, send, acknowledged, transcript };
}

/** Everything that was acknowledged is there exactly once, byte for byte, and each sender's in order. */
function check(transcript: readonly { id: string; text: string }[], counts: ReadonlyMap<string, number>): void {
  const ids = transcript.map((one) => one.id);
  expect(new Set(ids).size).toBe(ids.length);
  for (const [name, count] of counts) {
    const own = transcript.filter((one) => one.id.startsWith(`${name}-`));
    expect(own.map((one) => one.id)).toEqual(Array.from({ length: count }, (_, at) => `${name}-${at}`));
    expect(own.findIndex((one, at) => one.text !== bodyOf(name, at))).toBe(-1);
  }
}

test("10,000 messages of every shape from 8 processes at once: each arrives once, byte for byte, in its sender's order", async () => {
  const { send, acknowledged, transcript, place } = setStage();
  for (const name of senders) send(name, 1_250);
  await comes(() => (acknowledged.size === 10_000 ? true : undefined), { withinMs: 120_000, everyMs: 100 });
  expect(acknowledged.size).toBe(10_000);
  await comes(() => (transcript().length >= 10_000 ? true : undefined), { withinMs: 120_000, everyMs: 500 });
  check(transcript(), new Map(senders.map((name) => [name, 1_250])));
  const store = openStore(place.db);
  await comes(() => (store.waiting().size === 0 ? true : undefined), { withinMs: 20_000 });
  expect(store.list({ states: ["answered"], last: 20_000 })).toHaveLength(10_000);
  store.close();
}, 300_000);

test("kill -9 of senders, deliverers and the harness, 1,000 times: nothing acknowledged is lost, nothing comes twice", async () => {
  const { send, acknowledged, transcript, living } = setStage();
  const count = 400;
  for (const name of senders) send(name, count);
  let state = 7;
  const roll = (below: number) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
  for (let kills = 0; kills < 1_000; kills++) {
    const names = [...living.keys()];
    living.get(names[roll(names.length)] ?? "")?.kill("SIGKILL");
    await new Promise((resolve) => setTimeout(resolve, 20 + roll(60)));
  }
  await comes(() => (acknowledged.size === count * senders.length ? true : undefined), {
    withinMs: 120_000,
    everyMs: 100,
  });
  await comes(() => (transcript().length >= count * senders.length ? true : undefined), {
    withinMs: 60_000,
    everyMs: 200,
  });
  check(transcript(), new Map(senders.map((name) => [name, count])));
}, 400_000);
