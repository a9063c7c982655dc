import { watch } from "node:fs";
import { basename } from "node:path";

import { runChat, type Chat } from "../chat/chat.ts";
import { consoleChat, consoleConnector, consoleOwner } from "../connector/console/console.ts";
import { connectorOf } from "../connector/index.ts";
import type { FleetControl } from "../contract/command.ts";
import type { Wiring } from "../contract/connector.ts";
import type { ConsoleDoor } from "../contract/console.ts";
import { fleetApprovals } from "../fleet/approvals.ts";
import { connectorToken } from "../fleet/credentials.ts";
import type { World } from "../fleet/world.ts";
import { makeFolder } from "../lib/folder.ts";
import { openStore } from "../mail/store.ts";
import { readRoster } from "../roster/cache.ts";
import { Bell } from "./bell.ts";

/** The chats of this host, and the door to its own. */
export interface Talk extends Chat {
  door: ConsoleDoor;
}

/** This machine's own chat is always there: whoever may use the socket is its owner. */
const consoleWiring: Wiring = {
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
  const mail = openStore(home.messages);
  const here = consoleConnector(home.console, world.user, world.now);
  const chat = runChat(
    {
      fleet: {
        control,
        agents: async () => (await roster()).agents,
        approvals: () => fleetApprovals(world),
      },
      mail,
      path: home.chat,
      files: home.files,
      locks: home.locks,
      wirings: async () => [consoleWiring, ...(await roster()).connectors],
      async open(wiring) {
        if (wiring.platform === "console") return here;
        const token = connectorToken(home, wiring.account);
        if (token === undefined) return undefined;
        return (await connectorOf(wiring.platform))(wiring, token);
      },
      bell: () => new Bell(),
      now: world.now,
      random: Math.random,
      log,
    },
    signal,
  );
  const watcher = watchFleet(world, chat);
  const done = chat.done.finally(() => {
    watcher?.close();
    mail.close();
  });
  return { ...chat, done, door: here.door };
}

/** What an adapter writes when its agent does something; beats, which every agent writes all the time, are not among them. */
const stirring = /\/(journal|events)\.jsonl$|\/questions\//;

/** Every change of a message goes through its database's log. Where that cannot be watched, looking is enough. */
function watchFleet({ home }: World, chat: Chat): { close(): void } | undefined {
  const log = `${basename(home.messages)}-wal`;
  const roster = basename(home.roster);
  try {
    const watcher = watch(home.fleet, (_, file) => {
      if (file === log) chat.ring();
      if (file === roster) chat.reread();
    });
    makeFolder(home.agents);
    const agents = watch(home.agents, { recursive: true }, (_, file) => {
      if (file !== null && stirring.test(file)) chat.ring();
    });
    const close = () => {
      watcher.close();
      agents.close();
    };
    watcher.on("error", close);
    agents.on("error", close);
    return { close };
  } catch {
    return undefined;
  }
}
