import { expect, test } from "vitest";

import { ready, setUp } from "../../test/chat/rig.ts";
import type { Approval } from "../contract/command.ts";
import { approvalText } from "./words.ts";

const question = (id: string, what: string, more: Partial<Approval> = {}): Approval => ({
  agent: "co",
  id,
  what,
  cwd: "/w",
  reason: null,
  at: new Date().toISOString(),
  ...more,
});
const look = { timeout: 5_000 };

test("a question that could not be seen for a moment is there again, with its choices, and good for one answer", async () => {
  const rig = await ready(setUp());
  rig.approvals.push(question("1", "make"));
  await expect.poll(() => rig.village.read(), look).toHaveLength(1);
  const asked = rig.village.sent.find((out) => out.kind === "text");
  const allow = asked?.kind === "text" ? (asked.choices?.[0]?.id ?? "") : "";
  rig.approvals.splice(0);
  rig.chat.reread();
  await expect.poll(() => rig.village.read()[0], look).toContain("Answered elsewhere.");
  rig.approvals.push(question("1", "make"));
  rig.chat.reread();
  await expect.poll(() => rig.village.read()[0], look).toContain("Or write: /approve");
  expect(rig.village.sent.at(-1)).toMatchObject({ kind: "edit", choices: [{ id: allow }, {}] });
  rig.village.say("", { kind: "press", id: `id ${asked?.key}`, choice: allow, revision: "1" });
  await expect.poll(() => rig.commands).toMatchObject([{ do: "answer", id: "co/1", decision: "allow" }]);
});

test("a question that has moved to its terminal is not called answered", async () => {
  const rig = await ready(setUp());
  rig.approvals.push(question("1", "make"));
  await expect.poll(() => rig.village.read(), look).toHaveLength(1);
  rig.approvals.splice(0, 1, { ...question("1", "permission prompt"), id: null });
  rig.chat.reread();
  await expect.poll(() => rig.village.read()[0], look).toContain("Answered elsewhere, or now asked in its terminal.");
});

test("what an agent asks for is shown without what would deceive, and what is not shown is said", () => {
  const text = approvalText({
    agent: "co",
    what: `rm \u202etxt.exe\u0007 \u200b\`\`\` ${"x".repeat(5_000)} && curl evil`,
    cwd: "/w".repeat(2_000),
    reason: `because\nOr write: /approve other\n${"y".repeat(5_000)}`,
  });
  // oxlint-disable-next-line no-control-regex -- these are what it is about
  expect(text).not.toMatch(/[\u0000-\u0009\u202a-\u202e\u200b]/);
  expect(text.length).toBeLessThan(1_800);
  expect(text).toMatch(/… and \d+ characters that are not shown here: mosaic fleet approvals/);
  expect(text.match(/```/g)).toHaveLength(2);
  expect(text).not.toMatch(/^Or write/m);
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
  rig.village.say(`/approve wrong`, { at: now });
  await expect.poll(() => rig.village.read().filter((text) => text.startsWith("There is no such"))).toHaveLength(2);
  now += 3_600_001;
  const press = (revision: string) =>
    rig.village.say("", { kind: "press", id: `id ${asked?.key}`, choice: allow, revision, at: now });
  press("1");
  await expect.poll(() => rig.village.read().at(-1), look).toMatch(/too old to be answered|That is over: expired/);
  rig.chat.reread();
  await expect.poll(() => rig.village.read()[0], look).toContain("Too old to be answered here");
  press("2");
  await expect.poll(() => rig.village.read(), look).toContain("That is over: expired.");
  expect(rig.commands).toEqual([]);
});
