import { join } from "node:path";

import { expect, onTestFinished, test } from "vitest";

import { scratchFolder } from "../../test/scratch.ts";
import type { FleetControl } from "../contract/command.ts";
import type { ConsoleDoor } from "../contract/console.ts";
import { FleetError } from "../lib/errors.ts";
import { remote } from "./client.ts";
import { listen, routes, type Offered } from "./server.ts";

const never = () => Promise.reject(new Error("not in this test"));

async function setUp(offered: { control?: Partial<FleetControl>; console?: Partial<ConsoleDoor> }) {
  const faults: string[] = [];
  const all: Offered = {
    control: { state: never, watch: async function* () {}, run: never, ...offered.control },
    console: { say: never, choose: never, follow: async function* () {}, ...offered.console },
    health: () => ({ ok: false }),
    metrics: never,
    version: "1",
    onFault: (error) => void faults.push(String(error)),
  };
  const app = routes(all);
  const path = join(scratchFolder("api"), "api");
  const server = await listen(path, app, (error) => all.onFault(error));
  onTestFinished(() => server.close());
  return { app, faults, path, ...remote(path) };
}

test("a fault in the middle of events is that fault for whoever watches, and not the daemon's end", async () => {
  const rig = await setUp({
    control: {
      watch: async function* () {
        yield* [];
        throw new FleetError("invalid-roster", "The roster is broken.", { hint: "mend it" });
      },
    },
    console: {
      follow: async function* () {
        yield* [];
        throw new TypeError("ours");
      },
    },
  });
  const signal = AbortSignal.timeout(5_000);
  await expect(rig.control.watch(signal)[Symbol.asyncIterator]().next()).rejects.toMatchObject({
    code: "invalid-roster",
    hint: "mend it",
  });
  expect(rig.faults).toEqual([]);
  await expect(rig.console.follow(1, signal).next()).rejects.toThrow(/unexpected fault/);
  expect(rig.faults).toEqual(["TypeError: ours"]);
});

test("whoever goes away is let go of", async () => {
  let gone: AbortSignal | undefined;
  const rig = await setUp({
    console: {
      follow: async function* (_, signal) {
        gone = signal;
        yield { seq: 1, at: 1, kind: "typing" };
        await new Promise((resolve) => signal.addEventListener("abort", resolve));
      },
    },
  });
  const leave = new AbortController();
  const lines = rig.console.follow(1, leave.signal);
  expect(await lines.next()).toMatchObject({ value: { kind: "typing" } });
  const last = lines.next();
  leave.abort();
  await expect.poll(() => gone?.aborted).toBe(true);
  expect(await last.catch(() => ({ done: true }))).toMatchObject({ done: true });
});

test.for([
  ["none", 20],
  ["7", 7],
  ["1.5", 1],
  ["-3", 0],
  ["x", 0],
  ["1e9", 1_000],
] as const)("?last=%s is %i lines", async ([given, lines]) => {
  const asked: number[] = [];
  const rig = await setUp({
    console: {
      follow: async function* (last) {
        asked.push(last);
        yield* [];
      },
    },
  });
  await (await rig.app.request(`/v1/console${given === "none" ? "" : `?last=${given}`}`)).text();
  expect(asked).toEqual([lines]);
});

test("what is no request of ours is refused with a sentence and changes nothing; an unexpected fault tells nothing of itself", async () => {
  const rig = await setUp({ console: { say: () => Promise.reject(new Error("secret inside")) } });
  const post = async (path: string, body: string) => {
    const answer = await rig.app.request(path, { method: "POST", body });
    return [answer.status, await answer.text()] as const;
  };
  for (const body of [
    "{",
    "7",
    "[]",
    "{}",
    '{"id":"","text":"x"}',
    '{"id":"1"}',
    `{"id":"${"x".repeat(101)}","text":"x"}`,
  ])
    expect(await post("/v1/console/lines", body), body).toEqual([400, expect.stringContaining("no request of ours")]);
  const by = { kind: "person" };
  for (const body of [
    { do: "stop", agents: ["a"] },
    { do: "stop", agents: ["a"], by, more: 1 },
    { do: "nothing", by },
  ])
    expect((await post("/v1/commands", JSON.stringify(body)))[0]).toBe(400);
  const [status, text] = await post("/v1/console/lines", '{"id":"1","text":"x"}');
  expect([status, text.includes("secret")]).toEqual([500, false]);
  expect(rig.faults).toEqual(["Error: secret inside"]);
  const answer = await rig.app.request("/healthz");
  expect([answer.status, await answer.json()]).toEqual([503, { ok: false, version: "1" }]);
  const missing = await rig.control.state().catch((error: unknown) => error);
  expect(String(missing)).not.toContain("not in this test");
  await expect(rig.control.run({ do: "stop", agents: ["a"], by: { kind: "person" } })).rejects.toThrow(
    /unexpected fault/,
  );
});
