import { afterAll, beforeAll, describe, expect, test } from "vitest";

import { remote } from "../../src/api/client.ts";
import type { ConsoleLine } from "../../src/contract/console.ts";
import type { Message } from "../../src/contract/message.ts";
import { claudeEnv } from "../model/claude-home.ts";
import { writeCodexHome } from "../model/codex-home.ts";
import { writeOpencodeHome } from "../model/opencode-home.ts";
import { writePiHome } from "../model/pi-home.ts";
import { startScriptedModel, type ScriptedModel } from "../model/server.ts";
import { makeRig, rosterOf, type Rig } from "../rig.ts";

const runtimes = ["claude", "pi", "codex", "opencode"] as const;
type Runtime = (typeof runtimes)[number];
const bins = runtimes.map((name) => process.env[`MOSAIC_TEST_${name.toUpperCase()}`] ?? "");
let model: ScriptedModel;
beforeAll(async () => {
  model = await startScriptedModel();
});
afterAll(() => model.close());

/** A fleet of one agent for each harness, named after it; the first is the orchestrator. */
async function setUp(names: readonly Runtime[], floor = "full"): Promise<Rig> {
  const rig = makeRig({ path: bins.filter((bin) => bin !== "").join(":") });
  writePiHome(rig.root, model.url);
  writeCodexHome(rig.root, model.url);
  writeOpencodeHome(rig.root, model.url);
  const claude = `, model: scripted-large, env: ${JSON.stringify(claudeEnv(model.url))}`;
  const agentOf = (name: Runtime, at: number) =>
    `{ name: ${name}, role: ${at === 0 ? "orchestrator" : "worker"}, runtime: ${name}, workdir: ~/work, permissions: ${floor}${name === "claude" ? claude : ""} }`;
  rig.roster(rosterOf(...names.map(agentOf)));
  expect((await rig.fleet("start")).code).toBe(0);
  return rig;
}

const chat = (rig: Rig, text: string) => rig.fleet("chat", "--timeout", "60s", text);

/** Everything in the chat so far. */
async function linesOf(rig: Rig): Promise<ConsoleLine[]> {
  const end = new AbortController();
  const lines: ConsoleLine[] = [];
  const { console: door } = remote(rig.home.api);
  const id = `end ${Math.random()}`;
  const reading = door.follow(1_000, end.signal);
  await door.say({ id, text: "/help" });
  for await (const line of reading) {
    lines.push(line);
    if (line.kind === "mark" && line.of === id && line.mark === "done") break;
  }
  return lines;
}

describe.skipIf(bins.includes(""))("the chat, with real agents", () => {
  test("every harness answers through it, the orchestrator by itself, each once", async () => {
    const rig = await setUp(runtimes);
    expect(await chat(rig, "to you [[say I am mos]]")).toMatchObject({ code: 0, out: "I am mos\n" });
    for (const name of runtimes.slice(1))
      expect(await chat(rig, `/ask ${name} [[say I am ${name}]]`)).toMatchObject({
        code: 0,
        out: `${name}: I am ${name}\n`,
      });
    const said = (await linesOf(rig)).flatMap((line) =>
      line.kind === "text" && line.text.includes("I am") ? [line.text] : [],
    );
    expect(said).toEqual(["I am mos", ...runtimes.slice(1).map((name) => `${name}: I am ${name}`)]);
  });

  test("killed in the middle of its turn, each comes back and the answer comes, once", async () => {
    const rig = await setUp(["claude", "pi", "codex"]);
    for (const name of ["claude", "pi", "codex"]) {
      const asked = chat(rig, `/ask ${name} work [[bash sleep 3]] [[say finished ${name}]]`);
      const { pid } = await rig.settled(name, (agent) => agent.state === "working");
      process.kill(pid ?? 0, "SIGKILL");
      const { code, out } = await asked;
      expect([name, code, out]).toEqual([
        name,
        0,
        expect.stringMatching(new RegExp(`^(${name}: )?(finished ${name}|echo len=)`)),
      ]);
    }
    const said = (await linesOf(rig)).flatMap((line) =>
      line.kind === "text" && /^(\w+: )?(finished|echo len)/.test(line.text) ? [line.text] : [],
    );
    expect(said).toHaveLength(3);
    const { messages } = JSON.parse((await rig.fleet("inbox", "-n", "99", "--json")).out) as { messages: Message[] };
    expect(messages.filter((one) => one.from.kind === "owner").map((one) => one.state)).toEqual([
      "answered",
      "answered",
      "answered",
    ]);
  });

  test("what an agent asks back is put to the owner, and the button that they press is its answer", async () => {
    const rig = await setUp(["claude"]);
    const options = ["Red", "Blue"].map((label) => ({ label, description: `all ${label}` }));
    const questions = [{ question: "Which colour?", header: "Colour", multiSelect: false, options }];
    const answer = chat(rig, `BACK [[tool AskUserQuestion ${JSON.stringify({ questions })}]] [[say as you like]]`);
    const { console: door } = remote(rig.home.api);
    for await (const line of door.follow(1_000, AbortSignal.timeout(30_000))) {
      if (line.kind !== "text" || line.choices.length === 0) continue;
      expect(line.text).toContain("claude asks:\n```\nWhich colour?\n1 Red: all Red\n2 Blue: all Blue\n```");
      expect(line.choices.map(({ label }) => label)).toEqual(["Red", "Blue", "Do not answer"]);
      await door.choose({ id: "press", message: line.id, choice: line.choices[1]?.id ?? "" });
      break;
    }
    expect(await answer).toMatchObject({ code: 0, out: expect.stringContaining("as you like") as string });
    const told = model.asks().findLast(({ ask }) => ask.lastUser.includes("BACK "))?.ask.toolResults;
    expect(told).toEqual([expect.stringContaining('"Which colour?"="Blue"')]);
    const shown = (await linesOf(rig)).findLast((line) => line.kind === "edit");
    expect(shown).toMatchObject({
      choices: [],
      text: expect.stringMatching(/^claude asked:[^]*Answered by /) as string,
    });
  });

  test("what the model of each was shown says who spoke: the owner, by chat", async () => {
    const rig = await setUp(["pi"]);
    await chat(rig, "mark my words");
    const { messages } = JSON.parse((await rig.fleet("inbox", "--json")).out) as { messages: Message[] };
    expect(messages[0]?.answer).toMatch(/^echo len=/);
    expect(messages[0]?.from).toEqual({ kind: "owner", name: expect.stringMatching(/on console$/) });
    expect((await rig.fleet("tail", "pi")).out).toMatch(/from .* on console, the person who owns this fleet, by chat/);
  });
});
