import { expect, test } from "vitest";

import { setUp } from "../../test/mail/pretended.ts";
import type { Trace } from "../harness/harness.ts";

const cut: Trace["end"] = { kind: "broken", cut: true, why: "it ended before it had answered" };

/** One message whose turn was cut off by its process's death; the next process is there. */
async function cutOff(options: { revived: boolean; end?: Trace["end"] }) {
  const rig = setUp();
  const { id } = rig.say("the task");
  await rig.pump();
  rig.harness.ended.set(id, options.end ?? cut);
  rig.harness.run++;
  rig.harness.revived = options.revived;
  await rig.pump();
  return { ...rig, id, letters: () => rig.store.list({ last: 10 }) };
}

test("a turn that a crash cut off is taken up again, once, and what it then says is the answer", async () => {
  const { id, harness, letters, pump: look, store } = await cutOff({ revived: true });
  expect(letters()).toMatchObject([
    { id, state: "acted", reason: "it ended before it had answered" },
    {
      id: `${id}-again`,
      state: "delivered",
      from: { kind: "system" },
      body: expect.stringContaining(`message ${id}.`),
    },
  ]);
  await look();
  expect(letters()).toHaveLength(2);
  harness.ended.set(`${id}-again`, { kind: "answered", text: "done after all", at: 5 });
  await look();
  await look();
  expect(store.find(id)).toMatchObject({ state: "answered", answer: "done after all", answeredAt: 5, closed: true });
  expect(letters()).toHaveLength(2);
});

test.for([
  ["by a person who then started it", { revived: false }],
  ["by an interruption", { revived: true, end: { kind: "broken", why: "interrupted" } }],
] as const)("a turn that was ended %s is left alone", async ([, options]) => {
  const { letters } = await cutOff(options);
  expect(letters()).toHaveLength(1);
});

test("an agent that dies of a message does not get it for ever", async () => {
  const { id, harness, letters, pump: look } = await cutOff({ revived: true });
  for (let at = 0; at < 6; at++) {
    for (const letter of letters()) harness.ended.set(letter.id, cut);
    harness.run++;
    await look();
  }
  expect(letters().map((one) => one.id)).toEqual([id, `${id}-again`, `${id}-again-again`, `${id}-again-again-again`]);
});
