import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { connect, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest";

import { converse } from "../../src/harness/codex/channel.ts";
import { codex } from "../../src/harness/codex/codex.ts";
import { noteReceipt, whereIs } from "../../src/harness/codex/receipts.ts";
import { readSession } from "../../src/harness/codex/session.ts";
import { comes } from "../comes.ts";
import { startScriptedModel, type ScriptedModel } from "../model/server.ts";
import { makeRig, type Rig } from "../rig.ts";
import { agentOf, codexBin, conversation, isIdle, screenShows, setUp } from "./codex-rig.ts";
import { deskOf, terminal } from "./desk.ts";

let model: ScriptedModel;
beforeAll(async () => {
  model = await startScriptedModel();
});
afterAll(() => model.close());

const escalated = (command: string) =>
  `[[tool exec_command ${JSON.stringify({ cmd: command, sandbox_permissions: "require_escalated", justification: "May I?" })}]]`;
const asks = (text: string) => model.asks().filter(({ ask }) => ask.lastUser === text);

/** A socket that carries every word to the server, and none back once it has carried a message. */
async function deafLine(rig: Rig, server: string): Promise<string> {
  const path = join(rig.root, "deaf.sock");
  let deaf = false;
  const proxy = createServer((near) => {
    const far = connect(server);
    near.on("error", () => far.destroy()).on("close", () => far.destroy());
    far.on("error", () => near.destroy()).on("close", () => near.destroy());
    near.on("data", (part: Buffer) => {
      // The mask of our own frames is nothing, so they can be read.
      if (/"method":"(turn\/start|thread\/queue\/add)"/.test(part.toString("latin1"))) deaf = true;
      far.write(part);
    });
    far.on("data", (part: Buffer) => void (deaf || near.write(part)));
  });
  proxy.listen(path);
  await once(proxy, "listening");
  onTestFinished(() => void proxy.close());
  return path;
}

describe.skipIf(codexBin === "")("Codex's channel, for real", () => {
  test("a permission is read by a fresh line, allowed or denied there, and its dialog goes from the terminal", async () => {
    const rig = await setUp(model.url, agentOf("mos", ", permissions: read"));
    const desk = deskOf(rig, "mos");
    await screenShows(rig, "scripted-large");
    expect(await codex.permissions?.(desk)).toEqual([]);
    for (const decision of ["allow", "deny"] as const) {
      const file = join(rig.root, "work", decision);
      await rig.fleet("send", "mos", `${decision} ${escalated(`touch ${decision}`)} [[say over ${decision}]]`);
      await screenShows(rig, "Press enter to confirm"); // the words of the question stand in the message too
      const [asked, ...more] = (await codex.permissions?.(desk)) ?? [];
      expect(more).toEqual([]);
      expect(asked).toMatchObject({ cwd: join(rig.root, "work"), reason: "May I?" });
      expect(asked?.what).toContain(`touch ${decision}`);
      // To have looked is no answer.
      expect((await codex.permissions?.(desk))?.map((one) => one.id)).toEqual([asked?.id]);
      const waiting = await rig.agent("mos");
      expect([waiting.state, waiting.why]).toEqual(["waiting-permission", "waitingOnApproval"]);
      expect(existsSync(file)).toBe(false);
      const listed = await rig.fleet("approvals");
      expect([listed.out, listed.err]).toEqual([
        expect.stringMatching(new RegExp(`mos/\\S+ +\\S+ +.*touch ${decision}.* May I\\?`)),
        `Next: mosaic fleet approvals allow mos/${asked?.id}   (or deny)\n`,
      ]);
      expect((await rig.fleet("approvals", decision, "co")).code).toBe(3);
      const answered = await rig.fleet("approvals", decision, "mos");
      expect([answered.code, answered.err]).toEqual([0, expect.stringContaining(`touch ${decision}`)]);
      await screenShows(rig, `over ${decision}`);
      await isIdle(rig);
      expect(existsSync(file)).toBe(decision === "allow");
      expect(await terminal.capture({ name: "mos", socket: rig.place("mos").terminal })).not.toContain(
        "Press enter to",
      );
      await expect(codex.answer?.(desk, asked?.id ?? "", decision)).rejects.toThrow("any more");
      expect((await rig.fleet("approvals", decision, "mos")).code).toBe(3);
    }
  });

  test.for<[string, string]>([
    ["idle", "kept twice"],
    ["busy", "kept in the queue"],
  ])("kill -9 between Codex's taking a message and our note of it, %s: it is not sent again", async ([when, text]) => {
    const rig = await setUp(model.url);
    const desk = deskOf(rig, "mos");
    if (when === "busy") {
      const busy = "busy [[bash until [ -e go ]; do sleep 0.1; done]]";
      await rig.fleet("send", "mos", busy);
      await comes(() => asks(busy).length > 0 || undefined, { withinMs: 20_000 });
    }
    const place = { ...desk.place, inbox: await deafLine(rig, desk.place.inbox) };
    const message = { id: `once-${when}`, text, mode: "next" } as const;
    const child = spawn(process.execPath, [
      join(import.meta.dirname, "codex-submit.ts"),
      JSON.stringify({ desk: { ...desk, place }, message }),
    ]);
    // Codex has it: its model was asked, or its queue shows it.
    const taken = () =>
      converse(desk.place.inbox, 2_000, (line) => whereIs(line, readSession(desk.place.session)?.id ?? "", message.id));
    await comes(async () => (when === "busy" ? (await taken()) === "queued" : asks(text).length > 0) || undefined, {
      withinMs: 20_000,
    });
    const gone = once(child, "close");
    child.kill("SIGKILL");
    await gone;
    expect(readFileSync(desk.place.journal, "utf8")).not.toMatch(new RegExp(`${message.id}","state":"(queued|deliv)`));
    const again = await codex.submit(desk, message);
    expect(again.state).toBe(when === "busy" ? "queued" : "delivered");
    writeFileSync(join(rig.root, "work/go"), "");
    await comes(() => conversation(rig, "mos", "user").includes(text) || undefined, { withinMs: 20_000 });
    await isIdle(rig);
    expect(conversation(rig, "mos", "user").filter((one) => one === text)).toHaveLength(1);
    expect(asks(text)).toHaveLength(1);
  });

  test("a message that was offered and never taken is sent", async () => {
    const rig = await setUp(model.url);
    const desk = deskOf(rig, "mos");
    noteReceipt(desk.place.journal, "lost", "offered");
    const message = { id: "lost", text: "offered only", mode: "next" } as const;
    expect((await codex.submit(desk, message)).state).toBe("delivered");
    expect((await codex.submit(desk, message)).state).toBe("delivered");
    await isIdle(rig);
    expect(conversation(rig, "mos", "user")).toEqual(["offered only"]);
  });

  test("the installed version's own schema has every method and field that we use, and doctor looks", async () => {
    const search = { path: process.env["PATH"] ?? "", node: process.execPath };
    expect(await codex.lacks?.(join(codexBin, "codex"), search)).toEqual([]);
    const older = mkdtempSync(join(tmpdir(), "mosaic-codex-older-"));
    onTestFinished(() => rmSync(older, { recursive: true, force: true }));
    // What this one writes of itself lacks a method.
    const real = `'${process.execPath}' '${join(codexBin, "codex")}' "$@"`;
    const generate = `for out; do :; done; ${real} && exec sed -i s,thread/queue/add,gone, "$out/ClientRequest.json"`;
    writeFileSync(
      join(older, "codex"),
      `#!/bin/sh\n[ "$1" = --version ] && { echo codex-cli 0.1.0; exit; }\n${generate}\n`,
      { mode: 0o755 },
    );
    expect(await codex.lacks?.(join(older, "codex"), search)).toEqual(["ClientRequest: thread/queue/add"]);
    const doctor = await makeRig({ path: older }).fleet("doctor");
    expect(doctor.out + doctor.err).toContain("codex 0.1.0 lacks what mosaic uses: ClientRequest: thread/queue/add");
  });
});
