import { expect, test } from "vitest";

import { madeAt, permissionOf, questionOf } from "./permissions.ts";

test("an id tells when OpenCode made it, also where its 36 bits of time have come round since", () => {
  const made = 1_795_405_785_749; // of that very millisecond
  for (const now of [made, made + 86_400_000, made - 1_000])
    expect(madeAt("per_206862a95001VgnIKL0GCSQu1T", now)).toBe(made);
  const round = 2 ** 36;
  const turn = Math.ceil(made / round) * round;
  expect(madeAt("per_ffffffff0000aaaaaaaaaaaaaa", turn + 5_000)).toBe(turn - 16);
  expect(madeAt("something else", made)).toBe(undefined);
});

test("a permission is named by its command or its file", () => {
  const asked = { id: "per_206862a95001", sessionID: "ses_1", permission: "bash", patterns: ["touch a", "touch b"] };
  expect(permissionOf({ ...asked, metadata: { command: "touch a && touch b" } }, 0).what).toBe("touch a && touch b");
  expect(permissionOf(asked, 0).what).toBe("touch a, touch b");
  expect(permissionOf({ ...asked, permission: "edit", metadata: { filepath: "/w/x" } }, 0).what).toBe("edit /w/x");
});

test("a question shows what there is to choose, and since when it waits", () => {
  const made = 1_795_405_785_749;
  const options = [
    { label: "Red", description: "" },
    { label: "Blue", description: "as the sea" },
  ];
  const questions = [
    { question: "Which?", options },
    { question: "And these?", options: [], multiple: true },
  ];
  expect(questionOf({ id: "que_206862a95001", sessionID: "ses_1", questions }, made)).toMatchObject({
    what: "Which? And these?",
    at: made,
    questions: [
      {
        text: "Which?",
        several: false,
        options: [
          { label: "Red", about: null },
          { label: "Blue", about: "as the sea" },
        ],
      },
      { text: "And these?", several: true, options: [] },
    ],
  });
});
