import { readFileSync } from "node:fs";

import { afterAll, beforeAll, describe, expect, test } from "vitest";

import type { Message } from "../../src/contract/message.ts";
import { claude } from "../../src/harness/claude/claude.ts";
import { pi } from "../../src/harness/pi/pi.ts";
import { frame } from "../../src/mail/frame.ts";
import { bodyOf } from "../mail/bodies.ts";
import { claudeEnv } from "../model/claude-home.ts";
import { writePiHome } from "../model/pi-home.ts";
import { startScriptedModel, type ScriptedModel } from "../model/server.ts";
import { framed, makeRig, rosterOf } from "../rig.ts";
import { deskOf } from "./desk.ts";

const bins = { claude: process.env["MOSAIC_TEST_CLAUDE"] ?? "", pi: process.env["MOSAIC_TEST_PI"] ?? "" };
/** Seven people's terminals, and an agent. */
const senders = ["a", "b", "d", "e", "f", "g", "h", "co"];

let model: ScriptedModel;
beforeAll(async () => {
  model = await startScriptedModel();
});
afterAll(() => model.close());

/** What an editor would take for a command. */
const leads = ["", "/", "!", "#", "@", "-", "\u001b[31m"];

/** From one byte to 64 KiB, and of every shape between. */
function textOf(sender: string, at: number): string {
  if (at === 1) return sender.slice(0, 1);
  if (at === 2 && (sender === "a" || sender === "co")) return `${sender} ${at} ${"世 x".repeat(13_000)}`;
  if (at === 3) return bodyOf(sender, 49);
  return `${leads[(at + senders.indexOf(sender)) % leads.length]}${bodyOf(sender, at)}`;
}

/** What the receiver reads: a person's words as they are, an agent's without what nobody can see. */
const readAs = (sender: string, text: string): string =>
  sender === "co" ? (framed(frame({ id: "", from: { kind: "agent", name: sender }, body: text })) ?? "") : text;

async function setUp(runtime: "claude" | "pi") {
  const rig = makeRig({ path: bins[runtime] });
  writePiHome(rig.root, model.url);
  const more = runtime === "claude" ? `, model: scripted-large, env: ${JSON.stringify(claudeEnv(model.url))}` : "";
  rig.roster(
    rosterOf(
      `{ name: mos, role: orchestrator, runtime: ${runtime}, workdir: ~/work${more} }`,
      "{ name: co, runtime: command, command: [cat], workdir: ~/work }",
    ),
  );
  expect((await rig.fleet("start")).code).toBe(0);
  const { pid } = await rig.agent("co");
  const token = /MOSAIC_AGENT_TOKEN=([^\0]+)/.exec(readFileSync(`/proc/${pid}/environ`, "utf8"))?.[1] ?? "";
  /** One process of `send` for one message; its exit code. */
  const send = async (sender: string, at: number, text = textOf(sender, at)) =>
    (
      await rig.mosaic(["fleet", "send", "mos", "--id", `${sender}-${at}`, "-"], {
        input: text,
        env: sender === "co" ? { MOSAIC_AGENT: "co", MOSAIC_AGENT_TOKEN: token } : {},
      })
    ).code;
  const inbox = async () =>
    (JSON.parse((await rig.fleet("inbox", "mos", "-n", "999", "--json")).out) as { messages: Message[] }).messages;
  return { rig, send, inbox };
}

// The daemon is one sender to Claude Code, which takes 30 from one at once and then one every two seconds.
describe.each([
  { runtime: "pi" as const, each: 25, busyMs: 5_000, harness: pi },
  { runtime: "claude" as const, each: 5, busyMs: 1_000, harness: claude },
])("eight senders at once to the real $runtime", ({ runtime, each, busyMs, harness }) => {
  test.skipIf(bins[runtime] === "")(
    "each text is there once, byte for byte, in its sender's order; exit codes and inbox agree",
    async () => {
      const { rig, send, inbox } = await setUp(runtime);
      const codes = new Map<string, number>();
      // It works on something while the first ones come, so that they wait in both queues.
      const busy = `begin [[slow ${busyMs} at leisure]]`;
      codes.set("begin-0", await send("begin", 0, busy));
      await Promise.all(
        senders.map(async (sender) => {
          for (let at = 0; at < each; at++) codes.set(`${sender}-${at}`, await send(sender, at));
          // What says nothing is refused, and so are other words under an id that is taken; nothing comes of them.
          codes.set(`${sender}-${each}`, await send(sender, each, " \n"));
          if (sender === "a") expect([await send(sender, 0, "something else"), await send(sender, 0)]).toEqual([4, 0]);
        }),
      );
      await expect
        .poll(
          async () =>
            (await inbox())
              .filter((one) => one.state !== "answered")
              .map(({ id, state, reason }) => [id, state, reason]),
          {
            timeout: 120_000,
            interval: 500,
          },
        )
        .toEqual([]);
      const kept = (await inbox()).map((one) => one.id);
      const accepted = [...codes].flatMap(([id, code]) => (code === 0 ? [id] : []));
      expect(kept.toSorted()).toEqual(accepted.toSorted());
      expect(new Map([...codes].filter(([, code]) => code !== 0))).toEqual(
        new Map(senders.map((sender) => [`${sender}-${each}`, 2])),
      );
      expect(accepted).toHaveLength(senders.length * each + 1);

      const said = await harness.tail(deskOf(rig, "mos"), 10_000);
      const heard = said
        .filter((line) => line.who === "user")
        .map((line) => {
          const text = framed(line.text);
          return text === undefined ? line.text : text;
        });
      expect(heard).toHaveLength(senders.length * each + 1);
      expect(heard[0]).toBe(busy);
      for (const sender of senders) {
        const texts = Array.from({ length: each }, (_, at) => readAs(sender, textOf(sender, at)));
        const own = new Set(texts);
        const got = heard.filter((text) => own.has(text));
        expect([sender, got.length, got.findIndex((text, at) => text !== texts[at])]).toEqual([sender, each, -1]);
      }
    },
  );
});
