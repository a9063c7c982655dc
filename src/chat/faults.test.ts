import { statSync, utimesSync } from "node:fs";
import { join } from "node:path";

import { expect, onTestFinished, test } from "vitest";

import { marksOf, ready, setUp } from "../../test/chat/rig.ts";
import { makeVillage } from "../../test/chat/village.ts";
import { scratchFolder } from "../../test/scratch.ts";
import type { Outcome } from "../contract/command.ts";
import { FleetError } from "../lib/errors.ts";
import { tryLock } from "../lib/lock.ts";
import { openLedger, type Ledger } from "./ledger.ts";

/** What the database says, by another hand. */
function ledgerOf(folder: string): Ledger {
  const ledger = openLedger(join(folder, "chat.db"));
  onTestFinished(() => ledger.database.close());
  return ledger;
}
const restarted: Outcome = { did: "restart", agents: [{ agent: "co", did: "restarted", note: "running" }] };

test("while a command takes its time everybody is heard at once, other chats go on, and it is carried out once", async () => {
  let finish: () => void = () => {};
  const slow = new Promise<Outcome>((resolve) => (finish = () => resolve(restarted)));
  const rig = await ready(setUp({ channels: ["square", "park"] }, undefined, { run: () => slow }));
  rig.village.intake().release("park");
  rig.village.say("/restart co");
  await expect.poll(() => rig.commands).toHaveLength(1);
  rig.village.say("behind it", { id: "behind" });
  rig.village.say("elsewhere", { chat: "park", id: "park" });
  await expect
    .poll(() => rig.village.sent.flatMap((out) => (out.kind === "mark" ? [out.message] : [])))
    .toEqual(expect.arrayContaining(["behind", "park"]));
  await expect.poll(() => rig.letters().map((one) => one.body)).toEqual(["elsewhere"]);
  rig.answer("from there");
  await expect.poll(() => rig.village.read()).toContain("from there");
  finish();
  await expect.poll(() => rig.letters().map((one) => one.body)).toEqual(["elsewhere", "behind it"]);
  expect(rig.commands).toHaveLength(1);
  expect(rig.village.read()).toContain("co: restarted, running");
});

test("a mail that cannot be written for a while: nothing is lost, nothing overtakes, and it is said in no chat as an end", async () => {
  const rig = await ready(setUp());
  const accept = rig.mail.accept.bind(rig.mail);
  let full = true;
  rig.mail.accept = (...args) => {
    if (full) throw Object.assign(new Error("database or disk is full"), { errcode: 13 });
    return accept(...args);
  };
  rig.village.say("first");
  rig.village.say("second");
  await expect.poll(() => rig.logs.join()).toContain("full");
  expect(marksOf(rig.village)).toEqual(["heard", "heard"]);
  full = false;
  await expect.poll(() => rig.letters().map((one) => one.body), { timeout: 8_000 }).toEqual(["first", "second"]);
  rig.answer("well");
  await expect.poll(() => marksOf(rig.village).filter((mark) => mark === "done")).toHaveLength(2);
});

test("a kill after the message was made: the same message, also where a file cannot be fetched again, or its text was taken back", async () => {
  const first = await ready(setUp());
  const file = { name: "a.txt", mime: "text/plain", bytes: 10, url: "x" };
  first.village.say("look", { id: "f", files: [file] });
  first.village.say("frist", { id: "e" });
  await expect.poll(first.letters).toHaveLength(2);
  first.village.say("first", { id: "e", kind: "edit", revision: "1" });
  await expect.poll(first.letters).toHaveLength(3);
  await first.end();
  const ledger = openLedger(join(first.folder, "chat.db"));
  ledger.database.db.exec("UPDATE heard SET state = 'new', letter = NULL WHERE id = 'f' OR kind = 'edit'");
  ledger.database.close();
  const village = makeVillage();
  village.connector.fetch = () => Promise.reject(new Error("the link is too old"));
  const second = await ready(setUp({}, first.folder, { village }));
  await expect.poll(() => ledgerOf(first.folder).freshChats("village")).toEqual([]);
  expect(second.letters()).toHaveLength(3);
  second.answer("seen");
  await expect.poll(() => second.village.read()).toEqual(["seen"]);
});

test("who was let out a moment ago commands nothing that still waits, and whoever is only a user now decides nothing", async () => {
  const rig = await ready(setUp());
  rig.village.intake().hold("square");
  rig.village.say("/restart co");
  rig.village.say("by one who is gone", { by: "user" });
  rig.people({ owners: [], users: ["owner"] });
  rig.chat.reread();
  await expect.poll(() => rig.village.say("x", { by: "user", chat: "nowhere", isDirect: true })).toBe("refused");
  rig.village.intake().release("square");
  await expect.poll(() => rig.commands.map((one) => one.by)).toMatchObject([{ standing: "user" }]);
  await expect.poll(() => ledgerOf(rig.folder).freshChats("village")).toEqual([]);
  expect(rig.letters()).toEqual([]);
});

test("changed into a command, put aside, taken back while it waits: old words go nowhere and no progress is left standing", async () => {
  const rig = await ready(setUp());
  rig.village.say("restart co", { id: "a" });
  await expect.poll(rig.letters).toHaveLength(1);
  const id = rig.letters()[0]?.id ?? "";
  rig.mail.move(id, { state: "held", reason: "its provider's limit is reached" }, 1);
  await expect.poll(() => rig.village.read(), { timeout: 8_000 }).toHaveLength(1);
  rig.village.say("/restart co", { id: "a", kind: "edit", revision: "1" });
  await expect.poll(() => rig.letters()[0]?.state).toBe("failed");
  await expect.poll(() => rig.village.read()[0]).toBe("Taken back.");
  rig.village.say("frist", { id: "b", at: Date.now() - 3_600_000 });
  await expect.poll(() => rig.village.read().at(-1)).toContain("while mosaic was away");
  rig.village.say("first", { id: "b", kind: "edit", revision: "1" });
  await expect.poll(rig.letters).toHaveLength(2);
  rig.village.say("/catchup");
  await expect.poll(() => rig.village.read().at(-1)).toBe("There is nothing put aside.");
  expect(rig.letters().map((one) => one.body)).toEqual(["restart co", "first"]);
});

test("what came late is handed on with a word about it, and only what the agent has makes it late", async () => {
  const rig = await ready(setUp());
  rig.village.say("/help", { order: 20_000n });
  await expect.poll(() => rig.village.read()).toHaveLength(1);
  rig.village.say("second", { order: 10_002n });
  await expect.poll(() => rig.letters().map((one) => one.body)).toEqual(["second"]);
  rig.village.say("first", { order: 10_001n });
  await expect
    .poll(() => rig.letters().at(-1)?.body)
    .toBe("(This came late: it was said before what you were handed last from there.)\nfirst");
});

test("an account in other hands is taken over when they let go; a lock that cannot be made ends nothing", async () => {
  const folder = scratchFolder("chat");
  const theirs = tryLock(join(folder, "village.lock"));
  const rig = setUp({}, folder);
  await expect.poll(() => rig.chat.health().get("village")?.detail).toContain("another process");
  theirs?.release();
  await expect.poll(() => rig.chat.health().get("village")?.state, { timeout: 10_000 }).toBe("up");
  const none = setUp({}, undefined, {
    around: { open: async () => ({ connector: makeVillage().connector, lockPath: "/proc/none/lock" }) },
  });
  await expect.poll(() => none.chat.health().get("village")?.state).toBe("degraded");
});

test("the lock of an account stays young, or what cleans old files away would let another in", async () => {
  let aheadMs = 0;
  const rig = await ready(setUp({}, undefined, { around: { now: () => Date.now() + aheadMs } }));
  const path = join(rig.folder, "village.lock");
  utimesSync(path, 1, 1);
  aheadMs = 2 * 86_400_000;
  rig.chat.reread();
  await expect.poll(() => statSync(path).mtimeMs).toBeGreaterThan(Date.now() - 60_000);
});

test("a connector that falls over is started again; one account that cannot be opened keeps no other", async () => {
  const village = makeVillage();
  const run = village.connector.run.bind(village.connector);
  let falls = 1;
  village.connector.run = async (around) => {
    if (falls-- > 0) throw new TypeError("a fault of ours");
    return run(around);
  };
  const rig = setUp({}, undefined, { village });
  const { wirings } = rig;
  wirings.unshift({ account: "broken" });
  await expect.poll(() => rig.chat.health().get("village")?.state, { timeout: 10_000 }).toBe("up");
  expect(rig.chat.health().get("broken")).toMatchObject({ state: "degraded", detail: "not readable" });
});

test("a disk that is full when a connector begins is no token that is refused: it begins when there is room", async () => {
  const village = makeVillage();
  const run = village.connector.run.bind(village.connector);
  let falls = 1;
  village.connector.run = async (around) => {
    if (falls-- > 0)
      throw new FleetError("conflict", "no space is left on the disk", {
        cause: Object.assign(new Error(), { errcode: 13 }),
      });
    return run(around);
  };
  const rig = setUp({}, undefined, { village });
  await expect
    .poll(() => rig.chat.health().get("village"))
    .toMatchObject({ state: "degraded", detail: expect.stringContaining("no space") });
  await expect.poll(() => rig.chat.health().get("village")?.state, { timeout: 10_000 }).toBe("up");
});

test("since when an account lacks its token is a moment, and not the last look at it", async () => {
  let now = 1_000;
  const rig = setUp({}, undefined, { around: { open: async () => undefined, now: () => now } });
  const lacks = () => rig.chat.health().get("village");
  await expect.poll(lacks).toMatchObject({ state: "needs-auth", since: 1_000 });
  now = 2_000;
  const before = rig.looks();
  rig.chat.reread();
  await expect.poll(() => rig.looks()).toBeGreaterThan(before);
  expect(lacks()).toMatchObject({ since: 1_000 });
});

test("of a roster with a fault its owner reads where it is, and nobody else does", async () => {
  let isBroken = false;
  const agents = async () => {
    if (isBroken) throw new FleetError("invalid-roster", "/home/ada/roster.yaml:3:1: no agents");
    return [{ name: "mos", role: "orchestrator" }];
  };
  const never = () => Promise.reject(new Error("not in this test"));
  const control = { state: never, run: never, watch: () => ({ [Symbol.asyncIterator]: () => ({ next: never }) }) };
  const rig = await ready(setUp({}, undefined, { around: { fleet: { control, agents, approvals: async () => [] } } }));
  isBroken = true;
  rig.village.say("/ask mos hello", { by: "user" });
  await expect.poll(() => rig.village.read()).toEqual([expect.stringContaining("The fleet's roster has a fault")]);
  expect(rig.village.read().join()).not.toContain("/home/ada");
  rig.village.say("/ask mos hello");
  await expect.poll(() => rig.village.read().at(-1)).toBe("/home/ada/roster.yaml:3:1: no agents");
});

test("an account that takes its time to end keeps no other from the roster's next change", async () => {
  const slow = new Promise<Outcome>(() => {});
  const rig = await ready(setUp({}, undefined, { run: () => slow }));
  rig.village.say("/restart co");
  await expect.poll(() => rig.commands).toHaveLength(1);
  rig.people({ guild: "another" });
  rig.chat.reread();
  rig.approvals.push({ agent: "co", id: "1", what: "make", cwd: null, reason: null, at: new Date().toISOString() });
  await expect.poll(() => rig.looks(), { timeout: 5_000 }).toBeGreaterThan(2);
});

test("the same fault again and again is one line of the log", async () => {
  const rig = setUp({}, undefined, { around: { wirings: () => Promise.reject(new Error("the roster is broken")) } });
  await expect.poll(() => rig.logs).toHaveLength(1);
  for (let at = 0; at < 5; at++) {
    rig.chat.reread();
    await new Promise(setImmediate);
  }
  expect(rig.logs).toEqual(["chat-fault the roster is broken"]);
});

test("what has no words in it (a sticker, blanks) is heard, and has an end like everything else", async () => {
  const rig = await ready(setUp());
  rig.village.say("  ");
  await expect.poll(() => marksOf(rig.village)).toEqual(["heard", "done"]);
  expect(rig.letters()).toEqual([]);
  expect(rig.village.read()).toEqual([expect.stringContaining("no words")]);
});

test("every decision is in the audit: each stranger at one button, and each command that one message was changed into", async () => {
  const rig = await ready(setUp());
  for (const by of ["4711", "4712"])
    expect(rig.village.say("", { by, id: "q", kind: "press", choice: "allow x", revision: by })).toBe("refused");
  rig.village.say("/restart co", { id: "c" });
  await expect.poll(() => rig.commands).toHaveLength(1);
  rig.village.say("/restart mos", { id: "c", kind: "edit", revision: "1" });
  await expect.poll(() => rig.commands).toHaveLength(2);
  const noted = () =>
    ledgerOf(rig.folder)
      .database.db.prepare("SELECT speaker, decision, note FROM audit ORDER BY seq")
      .all()
      .map((row) => Object.values(row).join());
  await expect
    .poll(noted)
    .toEqual(
      expect.arrayContaining([
        "4711,refused stranger,",
        "4712,refused stranger,",
        "owner,command restart,co",
        "owner,command restart,mos",
      ]),
    );
});
