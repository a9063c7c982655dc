import { chmodSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import { afterAll, beforeAll, describe, expect, test } from "vitest";

import type { Message } from "../../src/contract/message.ts";
import { claude } from "../../src/harness/claude/claude.ts";
import { quote } from "../../src/lib/quote.ts";
import { claudeEnv } from "../model/claude-home.ts";
import { echoOf } from "../model/script.ts";
import { startScriptedModel, type ScriptedModel } from "../model/server.ts";
import { makeRig, rosterOf } from "../rig.ts";
import { claudeBin, sign, signsOf } from "./claude-rig.ts";
import { deskOf } from "./desk.ts";

let model: ScriptedModel;
beforeAll(async () => {
  model = await startScriptedModel();
});
afterAll(() => model.close());

/** A really old one where MOSAIC_TEST_CLAUDE_OLD names it; else the installed one, which is only told to be old. */
const oldBin = process.env["MOSAIC_TEST_CLAUDE_OLD"] ?? "";

async function setUp() {
  const rig = makeRig();
  const bin = join(rig.root, "bin");
  mkdirSync(bin);
  const real = quote(join(oldBin === "" ? claudeBin : oldBin, "claude"));
  writeFileSync(
    join(bin, "claude"),
    `#!/bin/sh\ncase $* in\n*--messaging-socket-path*) echo "unknown option" >&2; exit 1 ;;\n--version) echo "2.1.220 (Claude Code)" ;;\n*) exec ${real} "$@" ;;\nesac\n`,
  );
  chmodSync(join(bin, "claude"), 0o755);
  rig.env["PATH"] = `${bin}:${rig.env["PATH"]}`;
  rig.roster(
    rosterOf(
      `{ name: mos, role: orchestrator, runtime: claude, model: scripted-large, workdir: ~/work, permissions: read, env: ${JSON.stringify(claudeEnv(model.url))} }`,
    ),
  );
  expect((await rig.fleet("start")).code).toBe(0);
  const capabilities = async () => {
    const { out } = await rig.fleet("status", "mos", "--json");
    return (JSON.parse(out) as { capabilities: object }).capabilities;
  };
  await sign("that it is known to have no inbox", async () => ("typed" in (await capabilities()) ? true : undefined));
  return { rig, capabilities, ...signsOf(rig, "mos", model) };
}

describe.skipIf(claudeBin === "")("Claude Code without an inbox, for real", () => {
  test("it starts, says what it cannot do, and takes typed messages with its own receipt", async () => {
    const { rig, capabilities, asked } = await setUp();
    expect(await capabilities()).toMatchObject({ receipts: true, nativeState: true, steer: false, typed: true });
    expect((await rig.agent("mos")).state).toBe("idle");
    const texts = ["one line", "lines\nand; more $(id) {x}\n\nend", "x".repeat(20_000), "naïve 世界"];
    for (const text of texts) {
      const sent = await rig.mosaic(["fleet", "send", "mos", "-"], { input: text });
      expect([sent.code, sent.err]).toEqual([0, expect.stringContaining("delivered: it is in the conversation")]);
      await sign("the model was asked", () =>
        model.asks().some((one) => one.ask.lastUser.includes(text)) ? true : undefined,
      );
      await rig.settled("mos", (agent) => agent.state === "idle");
    }
    const message = { id: "twice", text: "only once", mode: "next" } as const;
    for (let at = 0; at < 2; at++) expect((await claude.submit(deskOf(rig, "mos"), message)).state).toBe("delivered");
    await asked("only once", "sent");
    expect(model.asks().filter((one) => one.ask.lastUser.includes("only once"))).toHaveLength(1);
    // Typed text has no id of ours in the transcript; its prompt has one that Claude Code's hook named.
    const traced = async () => (await claude.trace?.(deskOf(rig, "mos"), ["twice"]))?.get("twice")?.end;
    expect(await sign("its answer", traced)).toMatchObject({ kind: "answered", text: echoOf("only once") });
  });

  test("where typing would disturb somebody, or not arrive as it is, it is refused", async () => {
    const { rig, press, shows, asked } = await setUp();
    for (const text of ["/help", "!id"]) {
      const sent = await rig.mosaic(["fleet", "send", "mos", "-"], { input: text });
      expect([sent.code, sent.err]).toEqual([5, expect.stringMatching(/failed: .*would not arrive as it is/)]);
    }
    /** Kept and not delivered; taken back, so that it does not come later. */
    const refused = async (text: string, why: string) => {
      const { out } = await rig.fleet("send", "mos", "--json", text);
      const [message] = (JSON.parse(out) as { messages: Message[] }).messages;
      expect([message?.state, message?.reason]).toEqual(["held", expect.stringContaining(why)]);
      expect((await rig.fleet("inbox", "cancel", message?.id ?? "")).code).toBe(0);
    };
    press("-l", "half a sen");
    await shows("half a sen");
    await refused("hello", "half-typed draft");
    await shows("half a sen");
    /** Sends as soon as the editor is seen to be empty again. */
    const clear = async (text: string) => {
      press("C-u");
      await sign("an empty editor", async () => {
        const { err } = await rig.fleet("send", "mos", "--id", text, text);
        return err.includes("delivered") || undefined;
      });
    };
    await clear("BUSY [[hang]]");
    await asked("BUSY", "open");
    await refused("hello", "it works on something");
    expect((await rig.agent("mos")).state).toBe("working");
    expect((await rig.fleet("interrupt", "mos")).err).toContain("the turn was ended");
    await rig.settled("mos", (agent) => agent.state === "idle");
    // Claude Code gives a typed prompt that was broken off back into the editor: that is somebody's draft again.
    await refused("hello", "half-typed draft");
    await clear("PERMIT [[bash touch x]] [[hang]]");
    await shows("Do you want to proceed?");
    await rig.settled("mos", (agent) => agent.state === "waiting-permission");
    await refused("hello", "a permission question is open");
    press("Escape");
    await rig.settled("mos", (agent) => agent.state === "idle");
    expect(model.asks().some((one) => one.ask.lastUser.includes("hello"))).toBe(false);
  });
});
