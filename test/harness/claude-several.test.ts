import { readdirSync } from "node:fs";

import { afterAll, beforeAll, describe, expect, test } from "vitest";

import { claude } from "../../src/harness/claude/claude.ts";
import { questionsOf } from "../../src/harness/claude/permission-hook.ts";
import type { Reply } from "../model/reply.ts";
import { startScriptedModel, type ScriptedModel } from "../model/server.ts";
import { claudeBin, claudeFleet, sign, signsOf } from "./claude-rig.ts";
import { deskOf } from "./desk.ts";

let model: ScriptedModel;
beforeAll(async () => {
  model = await startScriptedModel();
});
afterAll(() => model.close());

describe.skipIf(claudeBin === "")("several permissions that Claude Code wants at once, for real", () => {
  test("each is asked and answered by itself, whichever the dialog shows", async () => {
    const rig = await claudeFleet(model, "read");
    const desk = deskOf(rig, "mos");
    const signs = signsOf(rig, "mos", model);
    const callOf = (name: string) => ({ tool: "WebFetch", args: { url: `http://${name}.example/`, prompt: "x" } });
    const names = ["one", "two", "three", "four"];
    const [call, ...also] = names.map(callOf);
    const steps = [() => ({ ...call, also }) as Reply, () => ({ say: "over" })];
    model.rules.push({ when: (ask) => ask.lastUser.includes("SEVERAL"), steps });
    const open = async () => (await claude.permissions?.(desk)) ?? [];
    const asks = async (...waiting: string[]) =>
      expect
        .poll(async () => (await open()).map(({ what }) => what).toSorted(), { timeout: 20_000 })
        .toEqual(waiting.map((name) => `WebFetch http://${name}.example/`).toSorted());
    const idOf = async (name: string) => (await open()).find(({ what }) => what.includes(name))?.id ?? "";
    const shown = () => names.find((name) => signs.screen().includes(`content from ${name}.`));
    const answer = async (decision: "allow" | "deny", name = "") =>
      (await rig.fleet("approvals", decision, `mos/${await idOf(name)}`)).code;
    await rig.fleet("send", "mos", "SEVERAL");
    await signs.shows("1 of 4");
    await asks(...names);
    const first = shown() ?? "";
    const late = await idOf(first);
    const [second = "", ...others] = names.filter((name) => name !== first);
    expect(await answer("deny", second)).toBe(0);
    await asks(first, ...others);
    // The terminal answers one of them: the dialog goes on to the next as if nothing had changed, and its hook lives on.
    signs.press("Enter");
    await sign("the next one's dialog", () => (shown() === first ? undefined : true));
    expect(await claude.answer?.(desk, late, "deny").catch(String)).toContain(
      "does not wait for that permission any more",
    );
    await asks(...others);
    // Nor is it listed any more, though its hook lives and waits.
    const third = shown() ?? "";
    signs.press("Enter");
    await sign("the last one's dialog", () => (shown() === third ? undefined : true));
    await asks(shown() ?? "");
    expect(await answer("allow", shown())).toBe(0);
    await rig.settled("mos", (agent) => agent.state === "idle");
    const told = model.asks().findLast(({ ask }) => ask.lastUser.includes("SEVERAL"))?.ask.toolResults ?? [];
    expect(told.filter((text) => text.includes("A person was asked and did not allow it."))).toHaveLength(1);
    expect(told.filter((text) => text.includes("Unable to verify"))).toHaveLength(3);
    await expect.poll(() => readdirSync(questionsOf(desk)), { timeout: 20_000 }).toEqual([]);
  });
});
