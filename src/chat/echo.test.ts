import { join } from "node:path";

import { expect, onTestFinished, test } from "vitest";

import { scratchFolder } from "../../test/scratch.ts";
import type { Inbound } from "../connector/connector.ts";
import { echoesOf } from "./echo.ts";
import { openLedger } from "./ledger.ts";
import { openOutbox } from "./outbox.ts";

test("while a try of ours has no known outcome nobody is suspected, and afterwards it is known whose it was", () => {
  const ledger = openLedger(join(scratchFolder("echo"), "chat.db"));
  onTestFinished(() => ledger.database.close());
  const outbox = openOutbox(ledger, () => 2_000);
  const clock = { now: 1_000_000 };
  const echoes = echoesOf("a", outbox, () => clock.now);
  outbox.say("a", { chat: "c" }, "key", { kind: "text", text: "hello" }, clock.now);
  const seq = outbox.find("key")?.seq ?? 0;
  outbox.move(seq, "sending", clock.now);
  const alone = echoesOf("a", outbox, () => clock.now);
  alone.saw({ id: "ours", kind: "message", at: clock.now } as Inbound);
  for (const id of ["ours", "not ours"]) echoes.saw({ id, kind: "message", at: clock.now } as Inbound);
  clock.now += 31_000;
  expect(echoes.isAnother()).toBe(false);
  outbox.move(seq, "unknown", clock.now);
  expect(echoes.isAnother()).toBe(false);
  outbox.move(seq, "sent", clock.now, { ids: ["ours"] });
  // A long outage later it is looked up as far back as it was seen.
  outbox.say("a", { chat: "c" }, "other", { kind: "text", text: "later" }, clock.now);
  const other = outbox.find("other")?.seq ?? 0;
  outbox.move(other, "sending", clock.now);
  clock.now += 3_600_000;
  expect(echoes.isAnother()).toBe(false);
  outbox.move(other, "sent", clock.now, { ids: ["other"] });
  expect(alone.isAnother()).toBe(false);
  expect(echoes.isAnother()).toBe(true);
  for (const id of ["other", "ours"]) echoes.saw({ id, kind: "message", at: clock.now } as Inbound);
  clock.now += 31_000;
  expect(echoes.isAnother()).toBe(true); // "ours" was said an hour ago
  echoes.saw({ id: "other", kind: "message", at: clock.now } as Inbound);
  clock.now += 31_000;
  expect(echoes.isAnother()).toBe(false);
});
