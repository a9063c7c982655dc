import { existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";

import { expect, test } from "vitest";

import { scratchFolder } from "../../test/scratch.ts";
import type { Wiring } from "../contract/connector.ts";
import { layHome } from "../contract/home.ts";
import { parseRoster } from "../roster/load.ts";
import { connectorTokenPath } from "./credentials.ts";
import { addAccount, letIn, removeAccount, withAccount, wiringNamed } from "./wire.ts";
import type { World } from "./world.ts";

const text = `version: 1
fleet: acme
# my own words
agents:
  - { name: mos, role: orchestrator, runtime: command, command: [cat], workdir: /tmp }
`;
const wiring: Wiring = {
  account: "discord",
  platform: "discord",
  agent: undefined,
  url: undefined,
  guild: "1",
  channels: ["2"],
  owners: ["3"],
  users: [],
  mention: false,
};

function setUp() {
  const home = layHome({ mosaicHome: undefined, userHome: scratchFolder("wire"), runDir: undefined, uid: 0 });
  mkdirSync(home.fleet, { recursive: true });
  writeFileSync(home.roster, text);
  const world = { home, log: () => {} } as unknown as World;
  const roster = () => parseRoster(readFileSync(home.roster, "utf8"), home.roster, home.user);
  const one = () => wiringNamed(roster().connectors, "discord");
  return {
    world,
    home,
    one,
    text: () => readFileSync(home.roster, "utf8"),
    token: connectorTokenPath(home, "discord"),
  };
}

test("an account is added, its people come and go, and it is removed with its token; the rest of the file stays", async () => {
  const rig = setUp();
  await addAccount(rig.world, wiring, "secret");
  expect(rig.one()).toEqual(wiring);
  expect([
    readFileSync(rig.token, "utf8"),
    statSync(rig.token).mode & 0o777,
    statSync(dirname(rig.token)).mode & 0o777,
  ]).toEqual(["secret\n", 0o600, 0o700]);
  await expect(addAccount(rig.world, wiring, "another")).rejects.toThrow(/There is an account discord already/);
  expect(readFileSync(rig.token, "utf8")).toBe("secret\n");
  await letIn(rig.world, "discord", "4", "user");
  expect(rig.one()).toMatchObject({ owners: ["3"], users: ["4"] });
  await letIn(rig.world, "discord", "4", "owner");
  expect(rig.one()).toMatchObject({ owners: ["3", "4"], users: [] });
  await letIn(rig.world, "discord", "3", "user");
  expect(rig.one()).toMatchObject({ owners: ["4"], users: ["3"] });
  await letIn(rig.world, "discord", "4", undefined);
  expect(rig.one()).toMatchObject({ owners: [], users: ["3"] });
  const before = rig.text();
  await expect(letIn(rig.world, "discord", "4", undefined)).rejects.toThrow(/4 is not let in/);
  await expect(letIn(rig.world, "discrod", "4", "owner")).rejects.toThrow(
    /No account is named "discrod". There is discord/,
  );
  expect(rig.text()).toBe(before);
  await removeAccount(rig.world, "discord");
  expect([rig.text().startsWith(text.trimEnd()), existsSync(rig.token)]).toEqual([true, false]);
  await expect(removeAccount(rig.world, "discord")).rejects.toThrow(/There is none yet/);
});

test("of an account that cannot be, no token is kept", async () => {
  const rig = setUp();
  await expect(addAccount(rig.world, { ...wiring, agent: "nobody" }, "secret")).rejects.toThrow();
  expect([rig.text(), existsSync(rig.token)]).toEqual([text, false]);
});

test("wired again it is as it was said last, and what was not said stays byte for byte", () => {
  const parse = (some: string) => parseRoster(some, "r", "/home/me").connectors;
  const once = withAccount(text, [], { ...wiring, users: ["9"] });
  expect(withAccount(once, parse(once), { ...wiring, users: ["9"] })).toBe(once);
  const named = withAccount(once, parse(once), { ...wiring, mention: true });
  expect(parse(named)[0]).toMatchObject({ mention: true, users: ["9"] });
  expect(withAccount(named, parse(named), { ...wiring, mention: true })).toBe(named);
  expect(parse(withAccount(named, parse(named), wiring))[0]).toMatchObject({ mention: false });
});
