import { expect, test } from "vitest";

import type { PiContext } from "./pi-api.ts";
import { openQuestions } from "./questions.ts";

/** A terminal in which a person presses a key, and which puts a dialog away when it is told to. */
function terminal() {
  const dialogs: { title: string; message: string; press: (yes: boolean) => void; open: boolean }[] = [];
  const turn = new AbortController();
  const confirm: PiContext["ui"]["confirm"] = (title, message, { signal }) =>
    new Promise((resolve) => {
      const press = (yes: boolean) => {
        dialog.open = false;
        resolve(yes);
      };
      const dialog = { title, message, press, open: true };
      signal.addEventListener("abort", () => press(false));
      dialogs.push(dialog);
    });
  const context = { cwd: "/work", signal: turn.signal, ui: { confirm } } as unknown as PiContext;
  return { context, dialogs, turn };
}
const about = { what: "bash touch x", reason: 'its permissions are "read"' };

test("the first answer counts, in the terminal or outside, and the other side is told that it is over", async () => {
  const { context, dialogs } = terminal();
  const questions = openQuestions("mos", () => undefined);
  const outside = questions.ask(context, about);
  await expect.poll(() => dialogs.length).toBe(1);
  const [first] = questions.list();
  expect(first).toMatchObject({ ...about, cwd: "/work" });
  expect(await questions.answer(first?.id ?? "", "allow")).toBe(true);
  expect([await outside, dialogs[0]?.open, questions.list()]).toEqual([undefined, false, []]);
  expect(await questions.answer(first?.id ?? "", "deny")).toBe(false);

  const inside = questions.ask(context, about);
  await expect.poll(() => dialogs.length).toBe(2);
  const [second] = questions.list();
  expect(second?.id).not.toBe(first?.id);
  expect(await questions.answer(first?.id ?? "", "allow")).toBe(false);
  dialogs[1]?.press(false);
  expect(await inside).toEqual({ block: true, reason: expect.stringContaining("did not allow it") as string });
  expect(await questions.answer(second?.id ?? "", "allow")).toBe(false);
});

test("one after the other, and each answer is for its own", async () => {
  const { context, dialogs } = terminal();
  const questions = openQuestions("mos", () => undefined);
  const both = [questions.ask(context, about), questions.ask(context, { ...about, what: "bash touch y" })];
  await expect.poll(() => questions.list().map(({ what }) => what)).toEqual(["bash touch x"]);
  await questions.answer(questions.list()[0]?.id ?? "", "deny");
  await expect.poll(() => questions.list().map(({ what }) => what)).toEqual(["bash touch y"]);
  expect(dialogs.map(({ open }) => open)).toEqual([false, true]);
  await questions.answer(questions.list()[0]?.id ?? "", "allow");
  expect([(await both[0])?.block, await both[1]]).toEqual([true, undefined]);
});

test("fail closed: an interrupted turn, an end, a terminal that cannot ask, a word that is no answer", async () => {
  const blocked = { block: true, reason: expect.any(String) as string };
  const { context, dialogs, turn } = terminal();
  const questions = openQuestions("mos", () => undefined);
  const ended = questions.ask(context, about);
  await expect.poll(() => dialogs.length).toBe(1);
  questions.close();
  expect([await ended, dialogs[0]?.open]).toEqual([blocked, false]);
  const odd = questions.ask(context, about);
  await expect.poll(() => dialogs.length).toBe(2);
  await questions.answer(questions.list()[0]?.id ?? "", "yes" as "allow");
  expect(await odd).toEqual(blocked);
  const interrupted = questions.ask(context, about);
  await expect.poll(() => dialogs.length).toBe(3);
  turn.abort();
  expect([await interrupted, dialogs[2]?.open]).toEqual([blocked, false]);
  expect(await questions.ask(context, about)).toEqual(blocked); // a turn that is over asks nobody
  const mute = {
    cwd: "/work",
    ui: { confirm: () => Promise.reject(new Error("no terminal")) },
  } as unknown as PiContext;
  expect(await questions.ask(mute, about)).toEqual(blocked);
  expect(questions.list()).toEqual([]);
});

test("the terminal is driven by nothing in a question, and a long one says how much is not shown", async () => {
  const { context, dialogs } = terminal();
  const questions = openQuestions("mos", () => undefined);
  void questions.ask(context, { ...about, what: `bash \u001b[2Jtouch ${"x".repeat(3_000)}` });
  await expect.poll(() => dialogs.length).toBe(1);
  expect(dialogs[0]?.title).toBe('May mos do this? (its permissions are "read")');
  expect(dialogs[0]?.message).toMatch(/^bash touch x+\n… and \d+ more characters$/);
  questions.close();
});
