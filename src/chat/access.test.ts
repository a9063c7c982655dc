import { expect, test } from "vitest";

import { wiring } from "../../test/chat/village.ts";
import type { Inbound } from "../connector/connector.ts";
import { judgeAccess } from "./access.ts";

const said = (more: Partial<Inbound>): Inbound => ({
  chat: "square",
  id: "1",
  order: 1n,
  at: 0,
  kind: "message",
  speaker: { id: "owner", name: "anybody", isBot: false, isSelf: false },
  isDirect: false,
  isToUs: false,
  text: "x",
  files: [],
  ...more,
});
const by = (id: string, more: object = {}) => ({
  speaker: { id, name: "owner", isBot: false, isSelf: false, ...more },
});

test.for([
  ["an owner in the channel", {}, {}, { standing: "owner" }],
  ["a user", by("user"), {}, { standing: "user" }],
  ["a stranger who calls himself owner", by("4711"), {}, { refused: "stranger" }],
  ["a stranger, directly", { ...by("4711"), isDirect: true, chat: "d" }, {}, { refused: "stranger" }],
  ["nobody's id", by(""), { owners: [""] }, { refused: "stranger" }],
  ["an empty list is nobody", {}, { owners: [], users: [] }, { refused: "stranger" }],
  ["another channel", { chat: "elsewhere" }, {}, { refused: "channel" }],
  ["a thread of another channel", { chat: "elsewhere", thread: "square" }, {}, { refused: "channel" }],
  ["a thread of ours", { thread: "t" }, {}, { standing: "owner" }],
  ["directly, no channel needed", { isDirect: true, chat: "d" }, { channels: [] }, { standing: "owner" }],
  ["a bot, even an owner's id", by("owner", { isBot: true }), {}, { refused: "bot" }],
  ["ourselves", by("owner", { isSelf: true, isBot: true }), {}, { refused: "self" }],
  ["not named where it must be", {}, { mention: true }, { refused: "unaddressed" }],
  ["named where it must be", { isToUs: true }, { mention: true }, { standing: "owner" }],
  ["directly where it must be named", { isDirect: true }, { mention: true }, { standing: "owner" }],
  ["a choice where it must be named", { kind: "press" }, { mention: true }, { standing: "owner" }],
  ["an edit by a stranger", { kind: "edit", ...by("4711") }, {}, { refused: "stranger" }],
] as const)("who may speak: %s", ([, inbound, roster, judged]) => {
  expect(judgeAccess({ ...wiring, ...roster }, said(inbound))).toEqual(judged);
});
