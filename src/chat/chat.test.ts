import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

import { expect, onTestFinished, test } from "vitest";

import { marksOf, question, ready, setUp } from "../../test/chat/rig.ts";
import type { Village } from "../../test/chat/village.ts";
import { openLedger } from "./ledger.ts";
import { newPairing, pairings } from "./pairing.ts";

test("heard, handed on with the owner's standing, answered once, marked done; said again it is the same message", async () => {
  const rig = await ready(setUp());
  expect(rig.village.say("how is it going?", { id: "1" })).toBe("new");
  await expect.poll(() => marksOf(rig.village)).toEqual(["heard"]);
  await expect
    .poll(rig.letters)
    .toMatchObject([{ to: "mos", body: "how is it going?", from: { kind: "owner", name: "owner on village" } }]);
  expect(rig.village.say("how is it going?", { id: "1" })).toBe("known");
  rig.answer("well");
  await expect.poll(() => rig.village.read()).toEqual(["well"]);
  await expect.poll(() => marksOf(rig.village)).toEqual(["heard", "done"]);
  expect(rig.letters()).toHaveLength(1);
});

test("a user's words come as a chat's; one answer for two messages that one turn answered", async () => {
  const rig = await ready(setUp());
  rig.village.say("first", { by: "user" });
  rig.village.say("second", { by: "user" });
  await expect
    .poll(() => rig.letters().map((one) => [one.body, one.from.kind]))
    .toEqual([
      ["first", "chat"],
      ["second", "chat"],
    ]);
  rig.answer("both done", 5);
  await expect.poll(() => marksOf(rig.village).filter((mark) => mark === "done")).toHaveLength(2);
  expect(rig.village.read()).toEqual(["both done"]);
});

test("a stranger is not answered, leaves no word behind, and the owner hears of him once", async () => {
  const rig = await ready(setUp());
  expect(rig.village.say("my secret words", { by: "4711" })).toBe("refused");
  expect(rig.village.say("more secret words", { by: "4711" })).toBe("refused");
  expect(rig.village.say("/restart mos", { by: "4711" })).toBe("refused");
  await expect
    .poll(() => rig.village.read())
    .toEqual([expect.stringMatching(/not let in wrote on village: 4711 \(id 4711\)/)]);
  expect(rig.village.sent).toHaveLength(1);
  expect([rig.letters(), rig.commands]).toEqual([[], []]);
  await rig.end();
  for (const file of readdirSync(rig.folder).filter((one) => one.includes(".db")))
    expect(readFileSync(join(rig.folder, file), "latin1")).not.toContain("secret words");
});

test("let out means unheard from the next word on", async () => {
  const rig = await ready(setUp());
  expect(rig.village.say("one", { by: "user" })).toBe("new");
  rig.people({ users: [] });
  rig.chat.reread();
  await expect.poll(() => rig.village.say("two", { by: "user" })).toBe("refused");
});

test("who was let out is handed on no more, also where nobody has told of the roster's change", async () => {
  const rig = await ready(setUp());
  rig.people({ users: [] });
  rig.village.say("one", { by: "user" });
  rig.village.say("two");
  await expect.poll(() => rig.letters().map((one) => one.body)).toEqual(["two"]);
});

test("what is kept while a chat is held comes in its order; what comes later still is marked so", async () => {
  const rig = await ready(setUp());
  rig.village.intake().hold("square");
  rig.village.say("third", { order: 10_003n, id: "c" });
  rig.village.say("first", { order: 10_001n, id: "a" });
  rig.village.say("second", { order: 10_002n, id: "b" });
  expect(rig.letters()).toEqual([]);
  rig.village.intake().release("square");
  await expect.poll(() => rig.letters().map((one) => one.body)).toEqual(["first", "second", "third"]);
  rig.village.say("zeroth", { order: 10_000n, id: "z" });
  await expect.poll(() => rig.letters()).toHaveLength(4);
});

test("a kill between keeping and handing on loses nothing and doubles nothing", async () => {
  const first = await ready(setUp());
  first.village.intake().hold("square");
  first.village.say("kept", { id: "k" });
  await first.end();
  const second = await ready(setUp({}, first.folder));
  await expect.poll(() => second.letters().map((one) => one.body)).toEqual(["kept"]);
  await second.end();
  // The same again, as if killed after the message was made and before that was noted here.
  const ledger = openLedger(join(first.folder, "chat.db"));
  ledger.database.db.exec("UPDATE heard SET state = 'new', letter = NULL");
  ledger.database.close();
  const third = await ready(setUp({}, first.folder));
  third.answer("once");
  await expect.poll(() => third.village.read()).toEqual(["once"]);
  expect(third.letters()).toHaveLength(1);
});

test("commands: an owner's are carried out in his name, unknown ones get a suggestion, a path is no command", async () => {
  const rig = await ready(setUp());
  rig.village.say("/restart co");
  await expect.poll(() => rig.village.read()).toEqual(["mos: restarted, running"]);
  expect(rig.commands).toMatchObject([
    { do: "restart", agents: ["co"], by: { kind: "chat", speaker: "owner", standing: "owner" } },
  ]);
  rig.village.say("!restrat co");
  await expect
    .poll(() => rig.village.read().at(-1))
    .toBe("There is no /restrat. Did you mean /restart? /help lists all.");
  rig.village.say("/foo");
  await expect.poll(() => rig.village.read().at(-1)).toBe("There is no /foo. /help lists all.");
  rig.village.say("/etc/passwd is odd");
  rig.village.say("/ask co do it");
  await expect
    .poll(() => rig.letters().map((one) => [one.to, one.body]))
    .toEqual([
      ["mos", "/etc/passwd is odd"],
      ["co", "do it"],
    ]);
  rig.village.say("/ask nobody do it");
  await expect.poll(() => rig.village.read().at(-1)).toBe("There is no agent nobody. There are mos, co.");
});

test("a word from the platform's list is obeyed and handed on like a message, and nothing is marked or replied to", async () => {
  const rig = await ready(setUp({ mention: true }));
  rig.village.say("/restart co", { kind: "word" });
  await expect.poll(() => rig.village.read()).toEqual(["mos: restarted, running"]);
  rig.village.say("/ask co do it", { kind: "word" });
  await expect.poll(() => rig.letters().map((one) => [one.to, one.body])).toEqual([["co", "do it"]]);
  rig.answer("done it");
  await expect.poll(() => rig.village.read().at(-1)).toBe("co: done it");
  rig.village.say("/help", { id: "plain", isToUs: true });
  await expect.poll(() => marksOf(rig.village)).toEqual(["heard", "done"]);
  expect(rig.village.sent.flatMap((out) => ("replyTo" in out ? [out.replyTo] : []))).toEqual(["plain"]);
});

test("a command that a kill cut off is not carried out twice, and that is said", async () => {
  const first = await ready(setUp());
  first.village.intake().hold("square");
  first.village.say("/restart co");
  await first.end();
  const ledger = openLedger(join(first.folder, "chat.db"));
  ledger.database.db.exec("UPDATE heard SET state = 'begun'");
  ledger.database.close();
  const second = await ready(setUp({}, first.folder));
  await expect
    .poll(() => second.village.read())
    .toEqual([expect.stringContaining("whether it was carried out is not known")]);
  expect(second.commands).toEqual([]);
});

test("what came long ago is put aside and told, unless it was to us; a late command is never carried out", async () => {
  const rig = await ready(setUp());
  const at = Date.now() - 40 * 60_000;
  rig.village.say("old talk", { at });
  rig.village.say("more old talk", { at });
  rig.village.say("old, but to us", { at, isToUs: true });
  rig.village.say("/restart co", { at, isToUs: true });
  await expect.poll(() => rig.letters().map((one) => one.body)).toEqual(["old, but to us"]);
  await expect
    .poll(() => rig.village.read())
    .toEqual([
      expect.stringContaining("written while mosaic was away"),
      expect.stringContaining("40 min late and was not carried out"),
    ]);
  rig.village.say("/catchup");
  await expect
    .poll(() => rig.letters().map((one) => one.body))
    .toEqual(["old, but to us", "old talk", "more old talk"]);
  expect(rig.commands).toEqual([]);
});

test("changed or deleted before it is read: the old words are taken back; after that it is a correction", async () => {
  const rig = await ready(setUp());
  rig.village.say("frist", { id: "e" });
  await expect.poll(rig.letters).toHaveLength(1);
  rig.village.say("first", { id: "e", kind: "edit", revision: "1" });
  await expect
    .poll(() => rig.letters().map((one) => [one.body, one.state]))
    .toEqual([
      ["frist", "failed"],
      ["first", "queued"],
    ]);
  rig.mail.move(rig.letters()[1]?.id ?? "", { state: "delivered", deliveredAt: 1 }, 1);
  rig.village.say("first!", { id: "e", kind: "edit", revision: "2" });
  await expect.poll(() => rig.letters().at(-1)?.body).toBe("A correction of my last message:\nfirst!");
  rig.village.say("oops", { id: "d" });
  await expect.poll(rig.letters).toHaveLength(4);
  rig.village.say("", { id: "d", kind: "delete", by: "" });
  await expect.poll(() => rig.letters().at(-1)?.state).toBe("failed");
  expect(rig.village.say("not his", { id: "e", kind: "edit", by: "user", revision: "3" })).toBe("refused");
});

test("why it waits is said in one message that changes, and ends with the answer", async () => {
  const rig = await ready(setUp());
  rig.village.say("hello");
  await expect.poll(rig.letters).toHaveLength(1);
  const [letter] = rig.letters();
  const id = letter?.id ?? "";
  rig.mail.move(id, { state: "held", reason: "its provider's limit is reached" }, 1);
  await expect
    .poll(() => rig.village.read(), { timeout: 8_000 })
    .toEqual([expect.stringContaining("mos: its provider's limit is reached")]);
  rig.mail.move(id, { state: "queued", reason: "it is stopped" }, 2);
  rig.chat.ring();
  await expect.poll(() => rig.village.read()).toEqual([expect.stringContaining("waits for mos: it is stopped")]);
  rig.answer("now I have time");
  await expect.poll(() => rig.village.read()).toEqual([expect.stringMatching(/^Done after/), "now I have time"]);
});

test("what goes on is said in the same message: that it works, that it waits for an answer itself, and that it works again", async () => {
  let aheadMs = 0;
  const now = () => Date.now() + aheadMs;
  const rig = await ready(setUp({}, undefined, { around: { now } }));
  rig.village.say("hello");
  await expect.poll(rig.letters).toHaveLength(1);
  rig.mail.move(rig.letters()[0]?.id ?? "", { state: "delivered", deliveredAt: now() }, now());
  const first = () => rig.village.read()[0];
  aheadMs = 25_000;
  rig.chat.ring();
  await expect.poll(first).toBe("mos works on it (20 s).");
  rig.approvals.push(question("1", "rm x", { agent: "mos" }));
  rig.chat.reread();
  rig.chat.ring();
  await expect.poll(first).toBe("mos waits for an answer to a question of its: /approvals");
  rig.approvals.splice(0);
  rig.chat.reread();
  rig.chat.ring();
  await expect.poll(first).toBe("mos works on it (20 s).");
  rig.answer("done");
  await expect.poll(() => rig.village.read().at(-1)).toBe("done");
});

test("what can never be answered is said so, and marked", async () => {
  const rig = await ready(setUp());
  rig.village.say("hello");
  await expect.poll(rig.letters).toHaveLength(1);
  rig.mail.move(
    rig.letters()[0]?.id ?? "",
    { state: "expired", reason: "it was not delivered in time", closed: true },
    1,
  );
  rig.chat.ring();
  await expect.poll(() => rig.village.read()).toEqual(["mos did not answer: it was not delivered in time."]);
  expect(marksOf(rig.village)).toEqual(["heard", "failed"]);
});

test("a long answer comes in parts, a very long one as a file; files that come in lie where the agent is told", async () => {
  const rig = await ready(setUp());
  rig.village.say("tell me");
  await expect.poll(rig.letters).toHaveLength(1);
  rig.answer(`${"word ".repeat(600)}end`);
  await expect.poll(() => rig.village.read().map((text) => text.slice(0, 5))).toEqual(["(1/2)", "(2/2)"]);
  const file = { name: "../../etc/passwd", mime: "text/plain", bytes: 10, url: "x" };
  rig.village.say("look at this", { files: [file, { ...file, bytes: 10 ** 9, name: "big" }] });
  await expect.poll(rig.letters).toHaveLength(2);
  const body = rig.letters()[1]?.body ?? "";
  const [, path = ""] = /1-etc_passwd \(text\/plain, 10 bytes\): (\S+)/.exec(body) ?? [];
  expect(path.startsWith(join(rig.folder, "files"))).toBe(true);
  expect(readFileSync(path, "utf8")).toBe("content of ../../etc/passwd");
  expect(body).toContain("2-big (text/plain, 1000000000 bytes): not fetched, it is too large");
  rig.answer("long ".repeat(10_000));
  await expect
    .poll(() => rig.village.sent.at(-2)?.kind === "file" || rig.village.sent.some((out) => out.kind === "file"))
    .toBe(true);
  const sent = rig.village.sent.find((out) => out.kind === "file");
  expect(readFileSync(sent?.kind === "file" ? sent.path : "", "utf8")).toBe("long ".repeat(10_000).trim());
});

const promptOf = (village: Village) => {
  const found = village.sent.findLast((out) => out.kind === "text" && (out.choices?.length ?? 0) > 0);
  if (found?.kind !== "text") throw new Error("no prompt");
  return {
    text: found.text,
    message: `id ${found.key}`,
    allow: found.choices?.[0]?.id ?? "",
    code: /\/approve (\w+)/.exec(found.text)?.[1] ?? "",
  };
};

test("an agent's question is put to the owner; one decision, by an owner only, once; the others read it", async () => {
  const rig = await ready(setUp());
  rig.approvals.push(question("1", "rm -rf dist"));
  await expect.poll(() => rig.village.read(), { timeout: 5_000 }).toEqual([expect.stringContaining("rm -rf dist")]);
  const { allow, message } = promptOf(rig.village);
  const press = (by: string, revision: string) =>
    rig.village.say("", { kind: "press", id: message, choice: allow, by, revision });
  press("4711", "1");
  press("user", "2");
  await expect.poll(() => rig.village.read()).toContain("Only an owner may decide that.");
  expect(rig.commands).toEqual([]);
  press("owner", "3");
  await expect.poll(() => rig.village.read()[0]).toContain("Allowed by owner on village.");
  expect(rig.commands).toMatchObject([
    { do: "answer", id: "co/1", decision: "allow", by: { kind: "chat", standing: "owner" } },
  ]);
  press("owner", "4");
  await expect.poll(() => rig.village.read()).toContain("That is over: it was decided already.");
  expect(rig.commands).toHaveLength(1);
});

test("a question survives a restart, by code too; one that was answered elsewhere is over, and its code good for no other", async () => {
  const first = await ready(setUp());
  first.approvals.push(question("1", "make"));
  await expect.poll(() => first.village.read(), { timeout: 5_000 }).toHaveLength(1);
  const { code } = promptOf(first.village);
  await first.end();
  const rig = setUp({}, first.folder);
  rig.approvals.push(question("1", "make"));
  await ready(rig);
  rig.village.say(`/deny ${code}`);
  await expect.poll(() => rig.commands).toMatchObject([{ do: "answer", id: "co/1", decision: "deny" }]);
  rig.approvals.push(question("2", "make install"));
  await expect
    .poll(() => rig.village.sent.filter((out) => out.kind === "text" && out.choices).length, { timeout: 5_000 })
    .toBe(1);
  const second = promptOf(rig.village);
  rig.approvals.splice(0, 1, question("2", "something else"));
  rig.village.say(`/approve ${second.code}`);
  await expect.poll(() => rig.village.read()).toContain("It was answered elsewhere.");
  expect(rig.commands).toHaveLength(1);
});

test("a user sends the code that makes an owner: noted and not handed on; any other word of eight letters is a word", async () => {
  const rig = await ready(setUp());
  const ledger = openLedger(join(rig.folder, "chat.db"));
  onTestFinished(() => ledger.database.close());
  const user = newPairing(ledger, "village", "user", Date.now());
  const owner = newPairing(ledger, "village", "owner", Date.now());
  for (const text of ["continue", user.code, owner.code, owner.code]) rig.village.say(text, { by: "user" });
  rig.village.say(owner.code); // an owner is one already
  await expect.poll(() => rig.letters().map((letter) => letter.body)).toEqual(["continue", user.code, owner.code]);
  expect(pairings(ledger, Date.now()).map(({ claim }) => claim?.speaker)).toEqual([undefined, "user"]);
});

test("pairing: the code that was made here lets its sender be named; guessing makes every code useless", async () => {
  const rig = await ready(setUp());
  const ledger = openLedger(join(rig.folder, "chat.db"));
  onTestFinished(() => ledger.database.close());
  const { code } = newPairing(ledger, "village", "user", Date.now());
  expect(rig.village.say(code.toLowerCase(), { by: "new", isDirect: true, chat: "direct" })).toBe("refused");
  expect(pairings(ledger, Date.now())).toMatchObject([{ code, claim: { speaker: "new", chat: "direct" } }]);
  expect(rig.village.say("hello", { by: "new", isDirect: true, chat: "direct" })).toBe("refused"); // not approved yet
  const second = newPairing(ledger, "village", "user", Date.now());
  for (let at = 0; at < 20; at++)
    rig.village.say(`WRNG${2000 + at}`.replaceAll(/[01]/g, "2").slice(0, 8), { by: "guesser" });
  rig.village.say(second.code, { by: "guesser" });
  expect(pairings(ledger, Date.now())).toEqual([]);
});
