import { spawnSync } from "node:child_process";

import { afterAll, beforeAll, describe, expect, test } from "vitest";

import { startScriptedModel, type ScriptedModel } from "../model/server.ts";
import type { Rig } from "../rig.ts";
import { isLacking, messages, runtimes, setUp, type Runtime } from "./four-rig.ts";

let model: ScriptedModel;
beforeAll(async () => {
  model = await startScriptedModel();
});
afterAll(() => model.close());

const press = (rig: Rig, name: string, ...keys: string[]) =>
  spawnSync("tmux", ["-S", rig.place(name).terminal, "send-keys", "-t", `=${name}:`, ...keys]);

/** The user's side of the conversation as the harness itself wrote it down: which of our texts, in which order. */
async function read(rig: Rig, name: string): Promise<string[]> {
  const { out } = await rig.fleet("tail", name, "-n", "200", "--json");
  const { said } = JSON.parse(out) as { said: { who: string; text: string }[] };
  return said.flatMap(({ who, text }) => (who === "user" ? (text.match(/text \d of five|at once/g) ?? []) : []));
}

const texts = [1, 2, 3, 4, 5].map((at) => `text ${at} of five`);

/** An agent in the middle of a turn that does not end by itself, and five messages behind it. */
async function fiveBehindATurn(name: Runtime) {
  const rig = await setUp(model.url, [name]);
  const [first] = await messages(rig, "send", name, "slow [[hang]]");
  await rig.settled(name, (agent) => agent.state === "working");
  await expect.poll(() => model.asks().some(({ ask }) => ask.lastUser.includes("slow [[hang]]"))).toBe(true);
  for (const text of texts) expect((await rig.fleet("send", name, text)).code).toBe(0);
  const states = async () =>
    (await messages(rig, "inbox", name)).filter((one) => one.id !== first?.id).map((one) => one.state);
  return { rig, states };
}

describe.skipIf(isLacking).for(runtimes)("an interruption, on %s for real", (name) => {
  test("by the command, with no daemon at work: what waited is read in order, once, and answered", async () => {
    const { rig, states } = await fiveBehindATurn(name);
    const daemon = rig.daemonPid() ?? 0;
    process.kill(daemon, "SIGSTOP");
    try {
      expect((await rig.fleet("interrupt", name)).err).toContain("the turn was ended");
      await expect.poll(() => read(rig, name), { timeout: 30_000 }).toEqual(texts);
    } finally {
      process.kill(daemon, "SIGCONT");
    }
    await expect.poll(states, { timeout: 60_000 }).toEqual(texts.map(() => "answered"));
    expect(await read(rig, name)).toEqual(texts);
  });

  test("by a person's Escape in the terminal: the same", async () => {
    const { rig, states } = await fiveBehindATurn(name);
    // OpenCode asks for it twice.
    const ended = () => messages(rig, "inbox", name).then(([one]) => one?.reason?.includes("interrupt") === true);
    await expect
      .poll(async () => (await ended()) || (press(rig, name, "Escape"), false), { timeout: 20_000, interval: 700 })
      .toBe(true);
    await expect.poll(states, { timeout: 60_000 }).toEqual(texts.map(() => "answered"));
    expect(await read(rig, name)).toEqual(texts);
  });

  test("by a message that ends the turn: each is read once, and it first, where the harness leaves that to us", async () => {
    const { rig, states } = await fiveBehindATurn(name);
    expect((await rig.fleet("send", name, "--now", "at once")).code).toBe(0);
    await expect.poll(states, { timeout: 60_000 }).toEqual([...texts, ""].map(() => "answered"));
    const seen = await read(rig, name);
    expect(seen.filter((text) => text !== "at once")).toEqual(texts);
    expect(seen.filter((text) => text === "at once")).toHaveLength(1);
    // The others take up what waited as soon as the turn has ended.
    if (name === "codex") expect(seen[0]).toBe("at once");
  });
});
