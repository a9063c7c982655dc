import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import { expect, test } from "vitest";

import { remote } from "../../src/api/client.ts";
import { makeRig, rosterOf, type Rig } from "../rig.ts";

const agent = (name: string, role: string) =>
  `{ name: ${name}, role: ${role}, runtime: command, command: [cat], workdir: ~/work }`;

async function setUp() {
  const rig = makeRig();
  rig.roster(rosterOf(agent("mos", "orchestrator"), agent("co", "worker")));
  expect((await rig.fleet("start")).code).toBe(0);
  /** As that agent types it, with its own token. */
  const as = (name: string, ...words: string[]) =>
    rig.mosaic(["fleet", "report", ...words], {
      env: {
        MOSAIC_AGENT: name,
        MOSAIC_AGENT_TOKEN: readFileSync(join(rig.home.secrets, "agents", name), "utf8").trim(),
      },
    });
  return { rig, as };
}

/** What stands in this machine's chat, until a text comes that matches. */
async function textsUntil(rig: Rig, last: RegExp): Promise<string[]> {
  const end = AbortSignal.timeout(20_000);
  const texts: string[] = [];
  for await (const line of remote(rig.home.api).console.follow(1_000, end)) {
    if (line.kind === "text") texts.push(line.text);
    if (line.kind === "file") texts.push(`file ${line.name} ${readFileSync(line.path, "utf8")}`);
    if (last.test(texts.at(-1) ?? "")) break;
  }
  return texts;
}

test("an orchestrator's report reaches the person unasked, a file with it, with the daemon up or down", async () => {
  const { rig, as } = await setUp();
  expect(await as("mos", "the build is", "green")).toMatchObject({
    code: 0,
    err: "kept: the person gets it in the chat\n",
  });
  expect(await textsUntil(rig, /green/)).toEqual(["the build is green"]);
  process.kill(rig.daemonPid() ?? 0, "SIGKILL");
  writeFileSync(join(rig.root, "work", "notes.txt"), "line one");
  expect((await as("mos", "--file", "notes.txt", "while you were away")).code).toBe(0);
  await rig.fleet("chat", "/help");
  expect((await textsUntil(rig, /notes/)).slice(-2)).toEqual(["while you were away", "file notes.txt line one"]);
});

test("a file's name is shown without what would move a cursor or begin a line", async () => {
  const { rig, as } = await setUp();
  writeFileSync(join(rig.root, "work", "a\u001b[2J\n12:00 fleet: b.txt"), "inside");
  expect((await as("mos", "--file", "a\u001b[2J\n12:00 fleet: b.txt")).code).toBe(0);
  expect(await textsUntil(rig, /inside/)).toEqual(["file a 12:00 fleet: b.txt inside"]);
});

test("a worker reports only to an owner who wrote to it, and in its own name", async () => {
  const { rig, as } = await setUp();
  expect(await as("co", "listen to me")).toMatchObject({
    code: 4,
    err: expect.stringMatching(/^No owner has written to co by chat lately/),
  });
  await rig.fleet("chat", "/ask co do it");
  expect((await as("co", "it is done")).code).toBe(0);
  expect((await textsUntil(rig, /done/)).at(-1)).toBe("co: it is done");
});

test("refused: nobody's token, a person, nothing to say, what belongs to the fleet, and the thirty-first in a row", async () => {
  const { rig, as } = await setUp();
  const forged = await rig.mosaic(["fleet", "report", "x"], {
    env: { MOSAIC_AGENT: "mos", MOSAIC_AGENT_TOKEN: "mft_forged" },
  });
  expect(forged).toMatchObject({ code: 4, err: expect.stringMatching(/token/) });
  expect(await rig.fleet("report", "x")).toMatchObject({ code: 2 });
  expect(await as("mos", " ")).toMatchObject({ code: 2, err: expect.stringMatching(/nothing to report/) });
  expect(await as("mos", "x".repeat(10_001))).toMatchObject({
    code: 2,
    err: expect.stringMatching(/10001 characters; 10000 is the most[\s\S]*--file/),
  });
  const secret = join(rig.home.secrets, "agents", "mos");
  expect(await as("mos", "--file", secret)).toMatchObject({
    code: 4,
    err: expect.stringMatching(/belongs to the fleet itself/),
  });
  expect(await as("mos", "--file", "/dev/zero")).toMatchObject({ code: 4, err: expect.stringMatching(/not a file/) });
  expect(await as("mos", "--file", "nowhere")).toMatchObject({ code: 4 });
  for (let at = 0; at < 30; at += 6)
    await Promise.all(Array.from({ length: 6 }, (_, nth) => as("mos", `report ${at + nth}`)));
  expect(await as("mos", "one more")).toMatchObject({
    code: 4,
    err: expect.stringMatching(/reported 30 times in 10 minutes/),
  });
});
