import { mkdirSync, symlinkSync, watch, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";

import { expect, onTestFinished, test } from "vitest";

import { scratchFolder } from "../../test/scratch.ts";
import { layHome } from "../contract/home.ts";
import { watchFleet } from "./watch-fleet.ts";

function setUp() {
  const root = scratchFolder("watch");
  const home = layHome({ mosaicHome: root, userHome: root, runDir: undefined, uid: 0 });
  mkdirSync(home.fleet, { recursive: true });
  let told: string[] = [];
  const chat = {
    ring: () => void told.push("ring"),
    written: () => void told.push("written"),
    reread: () => void told.push("reread"),
  };
  const begin = () => {
    const watcher = watchFleet(home, chat);
    onTestFinished(() => watcher?.close());
    return watcher;
  };
  return { root, home, begin, told: () => told, forget: () => void (told = []) };
}

test("a roster that is a link is read again when what it leads to changes", async () => {
  const { root, home, begin, told, forget } = setUp();
  const elsewhere = join(root, "dotfiles", "fleet.yaml");
  mkdirSync(dirname(elsewhere));
  writeFileSync(elsewhere, "one");
  symlinkSync(elsewhere, home.roster);
  begin();
  writeFileSync(join(dirname(elsewhere), "other"), "");
  writeFileSync(`${home.messages}-wal`, "");
  await expect.poll(told).toContain("ring");
  expect(told()).not.toContain("reread");
  forget();
  writeFileSync(elsewhere, "two");
  await expect.poll(told).toContain("reread");
});

test("where one folder cannot be watched none is: nothing is told to a chat that is over", async () => {
  const { home, begin, told } = setUp();
  mkdirSync(home.secrets);
  writeFileSync(join(home.secrets, "connectors"), "no folder");
  expect(begin()).toBeUndefined();
  let hasCome = false;
  const sign = watch(home.fleet, (_, file) => (hasCome ||= file === "chat.db-wal"));
  onTestFinished(() => sign.close());
  writeFileSync(`${home.chat}-wal`, "");
  await expect.poll(() => hasCome).toBe(true);
  expect(told()).toEqual([]);
});
