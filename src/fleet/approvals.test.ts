import { expect, test } from "vitest";

import type { Approval } from "../contract/command.ts";
import { answersTo, questionNamed } from "./approvals.ts";

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
  expect(() => questionNamed(open, "co/1", { whole: true })).toThrow(/No open question/);
  expect(questionNamed(open, "co/12", { whole: true })).toMatchObject({ agent: "co", id: "12" });
  expect(questionNamed(open, "mos", { whole: false })).toMatchObject({ id: "7" });
  expect(() => questionNamed(open, "", { whole: false })).toThrow(/No open question/);
  expect(() => questionNamed(open, "tester", { whole: false })).toThrow(/its own terminal only/);
});

test("the name of an agent that waits for nothing is not how another agent's question begins", () => {
  const open = [asked("coder-two", "12")];
  for (const typed of ["coder", "coder/", "c"])
    expect(() => questionNamed(open, typed, { whole: false })).toThrow(/No open question/);
  expect(questionNamed(open, "coder-two/", { whole: false })).toMatchObject({ id: "12" });
});

const question = (text: string, several: boolean) => ({
  text,
  several,
  options: ["Red", "Deep, blue", "3"].map((label) => ({ label, about: null })),
});
const [one, many] = [question("Which?", false), question("Which ones?", true)];

test("what is typed names options by number or label, or is an answer in one's own words", () => {
  const answers = (...given: string[]) => answersTo([one, many], given, "hint");
  expect(answers("2", "1, 3")).toEqual(["Deep, blue", "Red, 3"]);
  expect(answers(" deep, BLUE ", "2,2")).toEqual(["Deep, blue", "Deep, blue"]);
  expect(answers("neither 1 nor 2", "__proto__")).toEqual(["neither 1 nor 2", "__proto__"]);
});

test("a number that names no option is a label where one reads so", () => {
  const ports = {
    text: "Which port?",
    several: false,
    options: ["3000", "8080"].map((label) => ({ label, about: null })),
  };
  expect(answersTo([ports], ["8080"], "hint")).toEqual(["8080"]);
  expect(answersTo([ports], ["1"], "hint")).toEqual(["3000"]);
});

test("what is no answer is refused, and says what would be", () => {
  const refused = (...given: string[]) => expect(() => answersTo([one, many], given, "hint"));
  refused("1").toThrow("It asks for 2 answers, one for each question.");
  refused("1", "1", "1").toThrow("It asks for 2 answers");
  refused("0", "1").toThrow('"Which?" has the answers 1 to 3.');
  refused("1", "1,4").toThrow('"Which ones?" has the answers 1 to 3.');
  refused("1,2", "1").toThrow('"Which?" takes one answer.');
  refused("1", "  ").toThrow('There is no answer to "Which ones?".');
});
