import { existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import { expect, test } from "vitest";

import { question } from "../../test/chat/rig.ts";
import { scratchFolder } from "../../test/scratch.ts";
import { openLedger } from "../chat/ledger.ts";
import { openOutbox } from "../chat/outbox.ts";
import { openPrompts } from "../chat/prompts.ts";
import type { World } from "../fleet/world.ts";
import { tellDecided } from "./tell-decided.ts";

function setUp() {
  let at = 7;
  const chat = join(scratchFolder("decided"), "chat.db");
  const logs: string[] = [];
  const world = { home: { chat }, user: "ada", now: () => at, log: ({ event }: { event: string }) => logs.push(event) };
  return { chat, logs, world: world as unknown as World, later: () => void at++ };
}

test("what was decided at this machine is told wherever it was asked, and kept with who it was", async () => {
  const { chat, world, later } = setUp();
  const asked = question("1", "rm x");
  const ledger = openLedger(chat);
  const prompts = openPrompts(ledger);
  const outbox = openOutbox(ledger, () => 2_000);
  const put = ["console", "discord"].map((account) => prompts.put(asked, { account, chat: "c" }, 1));
  const other = prompts.put(question("2", "rm y"), { account: "discord", chat: "c" }, 1);
  for (const { token, account } of put)
    outbox.say(account, { chat: "c" }, `prompt ${token}`, { kind: "text", text: "asked" }, 2);
  await tellDecided(world, asked, "deny");
  for (const { token } of put)
    expect(outbox.find(`prompt ${token} over 7`)?.saying).toMatchObject({
      kind: "edit",
      of: `prompt ${token}`,
      text: expect.stringMatching(/rm x[^]*Denied by ada at this machine\.$/),
      choices: [],
    });
  expect(prompts.open().map(({ token }) => token)).toEqual([other.token]);
  expect(ledger.audited("this machine", "ada", "Denied by ada at this machine.", 0)).toBe(1);
  later();
  await tellDecided(world, asked, "deny");
  expect(ledger.audited("this machine", "ada", "Denied by ada at this machine.", 0), "another of that name").toBe(2);
  ledger.database.close();
});

test("without a chat there is nothing to tell, and one that cannot be told is a line of the log", async () => {
  const { chat, logs, world } = setUp();
  await tellDecided(world, question("1", "rm x"), "allow");
  expect(existsSync(chat)).toBe(false);
  writeFileSync(chat, "no database at all, and long enough to be read as one");
  await tellDecided(world, question("1", "rm x"), "allow");
  expect(logs).toEqual(["chat-fault"]);
});
