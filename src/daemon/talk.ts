import { createHash } from "node:crypto";
import { join } from "node:path";

import { runChat, type Chat, type ChatSurroundings } from "../chat/chat.ts";
import { consoleChat, consoleConnector, consoleOwner } from "../connector/console/console.ts";
import { connectorOf } from "../connector/index.ts";
import type { FleetControl } from "../contract/command.ts";
import type { Wiring } from "../contract/connector.ts";
import type { ConsoleDoor } from "../contract/console.ts";
import { fleetApprovals } from "../fleet/approvals.ts";
import { connectorToken, connectorTokenMark } from "../fleet/credentials.ts";
import type { World } from "../fleet/world.ts";
import { privateFolder } from "../lib/folder.ts";
import { openStore } from "../mail/store.ts";
import { readRoster } from "../roster/cache.ts";
import { Bell } from "./bell.ts";
import { watchFleet } from "./watch-fleet.ts";

/** The chats of this host, and the door to its own. */
export interface Talk extends Chat {
  door: ConsoleDoor;
}

/** This machine's own chat is always there: whoever may use the socket is its owner. */
export const consoleWiring: Wiring = {
  account: "console",
  platform: "console",
  agent: undefined,
  url: undefined,
  guild: undefined,
  channels: [consoleChat],
  owners: [consoleOwner],
  users: [],
  mention: false,
};

/** Connects the chats of the roster, as it is and as it becomes, until the signal. */
export function talk(world: World, control: FleetControl, signal: AbortSignal): Talk {
  const { home } = world;
  const roster = () => readRoster(home.roster, home.cache, home.user);
  const log = (event: string, note: string) => world.log({ event, note });
  const here = consoleConnector(home.console, world.user, world.now);
  const mail = openStore(home.messages);
  const around: ChatSurroundings = {
    fleet: {
      control,
      agents: async () => (await roster()).agents,
      approvals: () => fleetApprovals(world),
    },
    mail,
    path: home.chat,
    files: home.files,
    wirings: async () => [consoleWiring, ...(await roster()).connectors],
    async open(wiring) {
      const { account, platform } = wiring;
      if (platform === "console") return { connector: here, lockPath: join(home.locks, "console.lock") };
      const token = connectorToken(home, account);
      if (token === undefined) return undefined;
      const connector = (await connectorOf(platform))(wiring, token);
      return { connector, lockPath: accountLock(world, platform, token) };
    },
    secretMark: (account) => connectorTokenMark(home, account),
    bell: () => new Bell(),
    now: world.now,
    random: Math.random,
    log,
  };
  let chat: Chat;
  try {
    chat = runChat(around, signal);
  } catch (error) {
    mail.close(); // it is tried again
    throw error;
  }
  const watcher = watchFleet(home, chat);
  const done = chat.done.finally(() => {
    watcher?.close();
    mail.close();
  });
  return { ...chat, done, door: here.door };
}

/** One for each account on this machine, whichever home it is wired to: a second listener would take the first one's words. */
function accountLock({ uid }: World, platform: string, token: string): string {
  const folder = `/tmp/mosaic-${uid}-accounts`;
  privateFolder(folder, uid);
  return join(folder, `${createHash("sha256").update(`${platform} ${token}`).digest("hex").slice(0, 32)}.lock`);
}
