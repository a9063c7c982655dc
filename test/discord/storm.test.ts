import { spawn } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";

import { expect, onTestFinished, test } from "vitest";

import { openLedger } from "../../src/chat/ledger.ts";
import { soon } from "../../src/connector/suite-rig.ts";
import { pause } from "../../src/lib/wait.ts";
import { dice } from "../kills.ts";
import { scratchFolder } from "../scratch.ts";
import { discordForTest } from "./rig.ts";

test("killed with SIGKILL again and again while people and we talk: nothing lost, doubled or out of order", async () => {
  const { double, ids, wiring } = await discordForTest();
  const folder = scratchFolder("storm");
  const [database, sent] = [join(folder, "chat.db"), join(folder, "sent")];
  writeFileSync(sent, "");
  const roll = dice(20_261_123);
  const start = () =>
    spawn(
      process.execPath,
      ["test/discord/listener.ts", JSON.stringify({ database, sent, token: ids.token, wiring })],
      { stdio: ["ignore", "ignore", "inherit"] },
    );
  const ledger = openLedger(database);
  onTestFinished(() => ledger.database.close());
  const heard = () =>
    ledger.database.db.prepare("SELECT text, late, state FROM heard WHERE account = 'home' ORDER BY ord").all() as {
      text: string;
      late: number;
      state: string;
    }[];

  let listener = start();
  onTestFinished(() => void listener.kill("SIGKILL"));
  await expect.poll(async () => (await double.counts()).identifies, soon).toBe(1);
  // So that many kills fall between what was done and our hearing of it.
  await double.behave({ answerAfterMs: 25 });
  const said: string[] = [];
  const talk = (async () => {
    for (let at = 0; at < 500; at++) {
      said.push(`question ${at}`);
      await double.post("owner", ids.general, { text: `question ${at}` });
      // The pace of the talk, so that the kills fall among it.
      await pause(20);
    }
  })();
  const isOver = talk.then(() => true);
  let kills = 0;
  while (!(await Promise.race([isOver, pause(500 + roll(900)).then(() => false)]))) {
    const ended = new Promise((resolve) => listener.once("close", resolve));
    listener.kill("SIGKILL");
    await ended;
    kills++;
    if (roll(2) === 0) await double.forget();
    listener = start();
  }
  await expect.poll(() => heard().filter((row) => row.state === "done").length, soon).toBe(said.length);
  expect(heard().map((row) => row.text)).toEqual(said);
  expect(
    heard().filter((row) => row.late !== 0),
    "nothing was handed on after something newer",
  ).toEqual([]);
  const ours = async () =>
    (await double.shown(ids.general)).filter((one) => one.author.id === ids.bot).map((one) => one.content);
  await expect.poll(async () => (await ours()).length, { ...soon, timeout: 60_000 }).toBeGreaterThanOrEqual(500);
  expect(await ours()).toEqual(Array.from({ length: 500 }, (_, at) => `answer ${at}`));
  expect(kills).toBeGreaterThan(3);
});
