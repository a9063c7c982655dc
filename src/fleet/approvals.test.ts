import { expect, test } from "vitest";

import type { Approval } from "../contract/command.ts";
import { questionNamed } from "./approvals.ts";

const asked = (agent: string, id: string | null): Approval => ({
  agent,
  id,
  what: "x",
  cwd: null,
  reason: null,
  at: "",
});

test("a person may type how a question begins; a button means its own question, and no other that begins alike", () => {
  const open = [asked("co", "12"), asked("mos", "7"), asked("tester", null)];
  expect(questionNamed(open, "co/1", { whole: false })).toMatchObject({ agent: "co", id: "12" });
  expect(() => questionNamed(open, "co/1", { whole: true })).toThrow(/Nothing that an agent waits for/);
  expect(questionNamed(open, "co/12", { whole: true })).toMatchObject({ agent: "co", id: "12" });
  expect(questionNamed(open, "mos", { whole: false })).toMatchObject({ id: "7" });
  expect(() => questionNamed(open, "", { whole: false })).toThrow(/More than one/);
  expect(() => questionNamed(open, "tester", { whole: false })).toThrow(/its own terminal only/);
});
