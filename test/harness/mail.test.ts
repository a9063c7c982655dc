import { spawnSync } from "node:child_process";

import { afterAll, beforeAll, describe, expect, test } from "vitest";

import { echoOf } from "../model/script.ts";
import { startScriptedModel, type ScriptedModel } from "../model/server.ts";
import { isLacking, messages, runtimes, setUp as layAndStart, type Runtime } from "./four-rig.ts";

let model: ScriptedModel;
beforeAll(async () => {
  model = await startScriptedModel();
});
afterAll(() => model.close());

const setUp = (names: readonly Runtime[]) => layAndStart(model.url, names);

describe.skipIf(isLacking)("mail, on all four harnesses for real", () => {
  test("asked by a person each answers; then every one of them writes to every other, and is answered", async () => {
    const rig = await setUp(runtimes);
    for (const name of runtimes) {
      const asked = await rig.fleet("ask", name, "--timeout", "60s", `who are you, ${name}`);
      expect([asked.code, asked.out.trim()]).toEqual([0, echoOf(`who are you, ${name}`).trim()]);
    }
    const pairs = runtimes.flatMap((from) => runtimes.filter((to) => to !== from).map((to) => [from, to] as const));
    for (const [from, to] of pairs) {
      const told = await rig.fleet(
        "ask",
        from,
        "--timeout",
        "60s",
        `tell [[bash mosaic fleet send ${to} from ${from} to ${to}]]`,
      );
      expect([told.code, told.out]).toEqual([0, expect.stringMatching(/^done/)]);
    }
    await expect
      .poll(
        async () =>
          (await messages(rig, "inbox", "-n", "99")).filter(
            (one) => one.from.kind === "agent" && one.state === "answered",
          ).length,
        {
          timeout: 60_000,
        },
      )
      .toBe(pairs.length);
    const sent = (await messages(rig, "inbox", "-n", "99")).filter((one) => one.from.kind === "agent");
    expect(sent.map((one) => `${one.from.name} ${one.to}`)).toEqual(pairs.map(([from, to]) => `${from} ${to}`));
    for (const one of sent) {
      expect(one.text).toBe(`from ${one.from.name} to ${one.to}`);
      expect(one.answer).toMatch(/^echo len=\d+ sha256=/);
    }
  });

  test("there and back: a worker that is asked reports by a reply, which is the answer to what it was asked", async () => {
    const rig = await setUp(["claude", "pi"]);
    const question =
      'what is 6 x 7? [[bash mosaic fleet send claude --reply-to $(mosaic fleet inbox pi --json | grep -o \'"id":"[^"]*\' | tail -1 | cut -c7-) it is 42]]';
    expect(
      (await rig.fleet("send", "claude", `ask [[bash mosaic fleet send pi - <<'END'\n${question}\nEND\n]]`)).code,
    ).toBe(0);
    await expect
      .poll(async () => (await messages(rig, "inbox", "pi")).map((one) => [one.state, one.answer]), { timeout: 60_000 })
      .toEqual([["answered", "it is 42"]]);
    const back = (await messages(rig, "inbox", "claude")).find((one) => one.from.name === "pi");
    expect(back).toMatchObject({ text: "it is 42", reply_to: (await messages(rig, "inbox", "pi"))[0]?.id });
  });

  test("a person's half-typed draft survives a delivery on every one of them", async () => {
    const rig = await setUp(runtimes);
    const tmux = (name: string, ...args: string[]) =>
      spawnSync("tmux", ["-S", rig.place(name).terminal, ...args], { encoding: "utf8" }).stdout;
    const screen = (name: string) => tmux(name, "capture-pane", "-p", "-J", "-t", `=${name}:`);
    for (const name of runtimes) {
      await rig.fleet("ask", name, "--timeout", "60s", "are you there");
      await expect.poll(() => screen(name), { timeout: 20_000 }).toContain("echo len=");
      // At a person's pace: a burst would be a paste.
      for (const letter of "my draft") tmux(name, "send-keys", "-t", `=${name}:`, "-l", letter);
      await expect.poll(() => screen(name), { timeout: 20_000 }).toContain("my draft");
      const asked = await rig.fleet("ask", name, "--timeout", "60s", "a message meanwhile");
      expect([asked.code, asked.out.trim()]).toEqual([0, echoOf("a message meanwhile").trim()]);
      await expect.poll(() => screen(name), { timeout: 20_000 }).toContain("my draft");
    }
  });

  test("kill -9 of each in the middle of its turn: its message is answered all the same, or its turn is said to be broken", async () => {
    const rig = await setUp(runtimes);
    for (const name of runtimes) {
      const [sent] = await messages(rig, "send", name, `work on [[bash sleep 2]] [[say finished ${name}]]`);
      const { pid } = await rig.settled(name, (agent) => agent.state === "working");
      const [waits] = await messages(rig, "send", name, `after that, ${name}`);
      process.kill(pid ?? 0, "SIGKILL");
      await rig.settled(name, (agent) => agent.state !== "dead" && agent.restarts === 1);
      await expect
        .poll(async () => (await messages(rig, "inbox", name)).find((one) => one.id === waits?.id)?.state, {
          timeout: 60_000,
        })
        .toBe("answered");
      const first = (await messages(rig, "inbox", name)).find((one) => one.id === sent?.id);
      expect([name, first?.state === "answered" || (first?.state === "acted" && first.reason !== null)]).toEqual([
        name,
        true,
      ]);
    }
  });
});
