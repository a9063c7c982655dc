import { join } from "node:path";

import { expect, onTestFinished, test } from "vitest";

import { question, ready, setUp } from "../../test/chat/rig.ts";
import type { Approval, Outcome } from "../contract/command.ts";
import { openLedger } from "./ledger.ts";
import { approvalText } from "./words.ts";

const look = { timeout: 5_000 };

test("a question that could not be seen for a moment is there again, with its choices, and good for one answer", async () => {
  const rig = await ready(setUp());
  const waiting = question("1", "make");
  rig.approvals.push(waiting);
  await expect.poll(() => rig.village.read(), look).toHaveLength(1);
  const asked = rig.village.sent.find((out) => out.kind === "text");
  const allow = asked?.kind === "text" ? (asked.choices?.[0]?.id ?? "") : "";
  rig.approvals.splice(0);
  rig.chat.reread();
  await expect.poll(() => rig.village.read()[0], look).toContain("Answered elsewhere, or asked no longer.");
  rig.approvals.push(waiting);
  rig.chat.reread();
  await expect.poll(() => rig.village.read()[0], look).toContain("In words: /approve");
  expect(rig.village.sent.at(-1)).toMatchObject({ kind: "edit", choices: [{ id: allow }, {}] });
  rig.village.say("", { kind: "press", id: `id ${asked?.key}`, choice: allow, revision: "1" });
  await expect.poll(() => rig.commands).toMatchObject([{ do: "answer", id: "co/1", decision: "allow" }]);
});

test("another question of the same name is put too: what is decided once is not decided for ever", async () => {
  const rig = await ready(setUp());
  for (const times of [1, 2]) {
    rig.approvals.push(question("call_0", "make"));
    rig.chat.reread();
    await expect.poll(() => rig.village.read(), look).toHaveLength(times);
    const asked = rig.village.sent.findLast((out) => out.kind === "text");
    const choice = asked?.kind === "text" ? (asked.choices?.[0]?.id ?? "") : "";
    rig.village.say("", { kind: "press", id: `id ${asked?.key}`, choice, revision: `${times}` });
    await expect.poll(() => rig.commands, look).toHaveLength(times);
    await expect.poll(() => rig.village.read()[times - 1], look).toContain("Allowed by owner");
  }
});

test("a question with answers to choose from has a button for each, and is answered by it or in words, by an owner", async () => {
  const rig = await ready(setUp());
  const options = ["Red", "Blue \u202e"].map((label) => ({ label, about: `all ${label}` }));
  const asked = (id: string, ...severals: boolean[]) =>
    question(id, "Which?", { cwd: null, questions: severals.map((several) => ({ text: "Which?", options, several })) });
  const newest = () => rig.village.sent.findLast((out) => out.kind === "text" && out.choices !== undefined);
  const put = async (approval: Approval) => {
    const before = newest();
    rig.approvals.push(approval);
    rig.chat.reread();
    await expect.poll(() => newest() !== before, look).toBe(true);
    const out = newest();
    if (out?.kind !== "text") throw new Error("no question");
    return {
      text: out.text,
      message: `id ${out.key}`,
      choices: out.choices ?? [],
      code: /\/answer (\w+)/.exec(out.text)?.[1],
    };
  };
  const first = await put(asked("1", false));
  expect(first.text).toMatch(
    /^co asks:\n```\nWhich\?\n1 Red: all Red\n2 Blue [^]*In words: \/answer \w+ 1 \(or your own words\)$/,
  );
  expect(first.text).not.toContain("\u202e");
  expect(first.choices.map(({ label }) => label)).toEqual(["Red", "Blue ", "Do not answer"]);
  const press = (by: string) =>
    rig.village.say("", { kind: "press", id: first.message, choice: first.choices[1]?.id ?? "", by, revision: by });
  press("user");
  await expect.poll(() => rig.village.read(), look).toContain("Only an owner may decide that.");
  press("owner");
  await expect
    .poll(() => rig.commands, look)
    .toMatchObject([{ do: "answer", id: "co/1", decision: { answers: ["2"] } }]);
  await expect.poll(() => rig.village.read()[0], look).toMatch(/^co asked:[^]*Answered by owner on village\.$/);
  rig.approvals.splice(0);

  // More than buttons can say is written.
  const two = await put(asked("2", false, true));
  expect(two.choices.map(({ label }) => label)).toEqual(["Do not answer"]);
  expect(two.text).toContain(`/answer ${two.code} 1; 1,2`);
  rig.village.say(`/answer ${two.code}`);
  await expect.poll(() => rig.village.read(), look).toContain("Which question, and what? /answer CODE 1");
  rig.village.say(`/answer ${two.code} neither, nor; 1,2`);
  await expect
    .poll(() => rig.commands.at(-1), look)
    .toMatchObject({ id: "co/2", decision: { answers: ["neither, nor", "1,2"] } });
  rig.approvals.splice(0);
  const three = await put(asked("3", false));
  rig.village.say(`/answer ${three.code} one; and only`);
  await expect
    .poll(() => rig.commands.at(-1), look)
    .toMatchObject({ id: "co/3", decision: { answers: ["one; and only"] } });
  rig.approvals.splice(0);
  const four = await put(asked("4", false));
  rig.village.say("", { kind: "press", id: four.message, choice: four.choices[2]?.id ?? "", revision: "1" });
  await expect.poll(() => rig.commands.at(-1), look).toMatchObject({ id: "co/4", decision: "deny" });
});

test("a question that has moved to its terminal is not called answered", async () => {
  const rig = await ready(setUp());
  rig.approvals.push(question("1", "make"));
  await expect.poll(() => rig.village.read(), look).toHaveLength(1);
  rig.approvals.splice(0, 1, { ...question("1", "permission prompt"), id: null });
  rig.chat.reread();
  await expect.poll(() => rig.village.read()[0], look).toContain("Answered elsewhere, or now asked in its terminal.");
});

test("a kill in the middle of a decision: whoever decided is told so, and the audit says that it was they", async () => {
  const first = await ready(setUp({}, undefined, { run: () => new Promise(() => {}) }));
  first.approvals.push(question("1", "make"));
  await expect.poll(() => first.village.read(), look).toHaveLength(1);
  const asked = first.village.sent.find((out) => out.kind === "text");
  const allow = asked?.kind === "text" ? (asked.choices?.[0]?.id ?? "") : "";
  first.village.say("", { kind: "press", id: `id ${asked?.key}`, choice: allow, revision: "1" });
  await expect.poll(() => first.commands).toHaveLength(1);
  await first.end();
  const second = await ready(setUp({}, first.folder));
  await expect.poll(() => second.village.read().at(-1), look).toMatch(/restarted while you decided \(allow\)/);
  const ledger = openLedger(join(first.folder, "chat.db"));
  onTestFinished(() => ledger.database.close());
  const { db } = ledger.database;
  expect(db.prepare("SELECT speaker, note FROM audit WHERE decision LIKE 'allow: %restarted%'").all()).toEqual([
    { speaker: "owner", note: "co make" },
  ]);
  expect(second.commands).toEqual([]);
});

test("an answer that takes its time is the presser's, also where the question is seen to be gone meanwhile", async () => {
  let finish: (outcome: Outcome) => void = () => {};
  const slow = new Promise<Outcome>((resolve) => (finish = resolve));
  const rig = await ready(setUp({}, undefined, { run: () => slow }));
  const approval = question("1", "make");
  rig.approvals.push(approval);
  await expect.poll(() => rig.village.read(), look).toHaveLength(1);
  const asked = rig.village.sent.find((out) => out.kind === "text");
  const allow = asked?.kind === "text" ? (asked.choices?.[0]?.id ?? "") : "";
  rig.village.say("", { kind: "press", id: `id ${asked?.key}`, choice: allow, revision: "1" });
  await expect.poll(() => rig.commands).toHaveLength(1);
  rig.approvals.splice(0);
  rig.chat.reread();
  await expect.poll(() => rig.village.read()[0], look).toContain("Answered elsewhere, or asked no longer.");
  finish({ did: "answer", approval, decision: "allow" });
  await expect.poll(() => rig.village.read()[0], look).toContain("Allowed by owner on village.");
});

test("what an agent asks for is shown without what would deceive, and what is not shown is said", () => {
  const text = approvalText({
    agent: "co",
    what: `rm \u202etxt.exe\u0007 \u200b\`\`\` ${"x".repeat(5_000)} && curl evil`,
    cwd: "/w".repeat(2_000),
    reason: `because\nIn words: /approve other\n${"y".repeat(5_000)}`,
  });
  // oxlint-disable-next-line no-control-regex -- these are what it is about
  expect(text).not.toMatch(/[\u0000-\u0009\u202a-\u202e\u200b]/);
  expect(text.length).toBeLessThan(1_800);
  expect(text).toMatch(/… and \d+ characters that are not shown here: mosaic fleet approvals/);
  expect(text.match(/```/g)).toHaveLength(2);
  expect(text).not.toMatch(/^In words/m);
  expect(approvalText({ agent: "co", what: "make", cwd: "/w", reason: "why" })).toBe(
    "co asks to be allowed:\n```\nmake\n```\nin /w\nIts reason: why",
  );
});

test("a question is good where it was put and for an hour; after that a press says so and decides nothing", async () => {
  let now = Date.now();
  const around = { now: () => now };
  const rig = await ready(setUp({ channels: ["square", "park"] }, undefined, { around }));
  rig.village.intake().release("park");
  rig.approvals.push(question("1", "make"));
  await expect.poll(() => rig.village.read(), look).toHaveLength(1);
  const asked = rig.village.sent.find((out) => out.kind === "text");
  const allow = asked?.kind === "text" ? (asked.choices?.[0]?.id ?? "") : "";
  const code = /\/approve (\w+)/.exec(rig.village.read()[0] ?? "")?.[1] ?? "";
  rig.village.say(`/approve ${code}`, { chat: "park", at: now });
  await expect.poll(() => rig.village.read().at(-1)).toBe("There is no such question here. See /approvals.");
  rig.village.say(`/approvals`, { chat: "park", at: now });
  await expect
    .poll(() => rig.village.read().at(-1))
    .toMatch(/It cannot be answered from here: mosaic fleet approvals$/);
  rig.village.say(`/approvals`, { at: now });
  await expect.poll(() => rig.village.read().at(-1)).toMatch(new RegExp(`Write: /approve ${code} or /deny ${code}$`));
  rig.village.say(`/deny`, { at: now });
  await expect.poll(() => rig.village.read().at(-1)).toBe("Which one? /deny CODE");
  rig.village.say(`/approve wrong`, { at: now });
  await expect.poll(() => rig.village.read().filter((text) => text.startsWith("There is no such"))).toHaveLength(2);
  now += 3_600_001;
  const press = (revision: string) =>
    rig.village.say("", { kind: "press", id: `id ${asked?.key}`, choice: allow, revision, at: now });
  press("1");
  await expect.poll(() => rig.village.read().at(-1), look).toMatch(/too old to be answered/);
  rig.chat.reread();
  await expect.poll(() => rig.village.read()[0], look).toContain("Too old to be answered here");
  press("2");
  await expect
    .poll(() => rig.village.read(), look)
    .toContain("That is over: it is too old to be answered here; see: mosaic fleet approvals.");
  expect(rig.commands).toEqual([]);
});
