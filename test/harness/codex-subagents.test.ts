import { existsSync } from "node:fs";
import { join } from "node:path";

import { afterAll, beforeAll, describe, expect, test } from "vitest";

import { codex } from "../../src/harness/codex/codex.ts";
import { until } from "../../src/lib/wait.ts";
import { startScriptedModel, type ScriptedModel } from "../model/server.ts";
import { agentOf, codexBin, isIdle, screenShows, setUp, typeKeys } from "./codex-rig.ts";
import { deskOf } from "./desk.ts";

let model: ScriptedModel;
beforeAll(async () => {
  model = await startScriptedModel();
});
afterAll(() => model.close());

const dialog = "Would you like to run the following command?";
const late = { code: "conflict" };

/** What a subagent is told, and what it wants that only a person may allow. */
const subagent = (name: string) => {
  const wants = { cmd: `touch ${name}`, sandbox_permissions: "require_escalated", justification: "why" };
  const message = `SUB-${name} [[tool exec_command ${JSON.stringify(wants)}]]`;
  return `[[tool multi_agent_v1__spawn_agent ${JSON.stringify({ message })}]]`;
};

describe.skipIf(codexBin === "")("Codex's subagents, for real", () => {
  test("what one wants is the agent's question, whether or not the agent goes on, and the first answer counts", async () => {
    const rig = await setUp(model.url, agentOf("mos", ", permissions: read"));
    const desk = deskOf(rig, "mos");
    await screenShows(rig, "scripted-large");
    const open = async () => (await codex.permissions?.(desk)) ?? [];
    const did = (name: string) => existsSync(join(rig.root, "work", name));
    const asks = async (...names: string[]) =>
      expect
        .poll(async () => (await open()).map(({ what }) => names.find((name) => what.includes(`touch ${name}`))), {
          timeout: 20_000,
        })
        .toEqual(names);
    const told = (name: string) =>
      model
        .asks()
        .filter(({ ask }) => ask.lastUser.includes(`SUB-${name} `) && !ask.lastUser.includes("MAIN"))
        .flatMap(({ ask }) => ask.toolResults);
    for (const decision of ["allow", "deny"] as const) {
      // The agent's own turn is over, and its subagent asks nevertheless.
      await rig.fleet("send", "mos", `MAIN ${subagent(decision)} [[say over]]`);
      await asks(decision);
      const waiting = await rig.settled("mos", (agent) => agent.state === "waiting-permission");
      expect(waiting.why).toBe("a subagent asks: waitingOnApproval");
      expect(await screenShows(rig, dialog)).toBe(true);
      const [one] = await open();
      expect((await rig.fleet("approvals")).out).toContain(`mos/${one?.id}`);
      expect((await rig.fleet("approvals", decision, "mos")).code).toBe(0);
      await expect.poll(() => told(decision).length, { timeout: 20_000 }).toBe(1);
      expect(did(decision)).toBe(decision === "allow");
      await isIdle(rig);
      expect(await open()).toEqual([]);
      await expect(codex.answer?.(desk, one?.id ?? "", decision)).rejects.toMatchObject(late);
    }

    // An interruption is of all that it does: nobody asks on.
    await rig.fleet("send", "mos", `MAIN ${subagent("never")} [[say over]]`);
    await asks("never");
    expect((await rig.fleet("interrupt", "mos")).err).toContain("the turn was ended");
    await isIdle(rig);
    expect([await open(), did("never")]).toEqual([[], false]);

    // Two at once, in the middle of the agent's turn: each is answered by itself, here or there.
    await rig.fleet("send", "mos", `MAIN ${subagent("one")} ${subagent("two")} [[hang]]`);
    await asks("one", "two");
    const [one, two] = await open();
    await codex.answer?.(desk, two?.id ?? "", "allow");
    await expect.poll(() => did("two"), { timeout: 20_000 }).toBe(true);
    await asks("one");
    // Codex leaves a subagent's dialog open that was answered elsewhere; whatever is pressed there changes nothing.
    const inTerminal = () => (did("one") ? true : void typeKeys(rig, "y"));
    expect(await until(inTerminal, { withinMs: 30_000, everyMs: 1_000 })).toBe(true);
    await expect(codex.answer?.(desk, one?.id ?? "", "deny")).rejects.toMatchObject(late);
    await rig.fleet("interrupt", "mos");
    await isIdle(rig);
    expect(did("deny")).toBe(false);
  });
});
