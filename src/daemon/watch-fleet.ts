import { realpathSync, watch, type FSWatcher } from "node:fs";
import { basename, dirname } from "node:path";

import type { Chat } from "../chat/chat.ts";
import type { Home } from "../contract/home.ts";
import { connectorTokenPath } from "../fleet/credentials.ts";
import { makeFolder } from "../lib/folder.ts";

/** What an adapter writes when its agent does something; beats, which every agent writes all the time, are not among them. */
const stirring = /\/(journal|events)\.jsonl$|\/questions\//;

/** Tells the chat what changes on disk: messages, its own database, the roster, tokens. Where that cannot be watched, looking is enough. */
export function watchFleet(home: Home, chat: Pick<Chat, "ring" | "written" | "reread">): { close(): void } | undefined {
  const log = `${basename(home.messages)}-wal`;
  const written = `${basename(home.chat)}-wal`;
  const roster = basename(home.roster);
  const watchers: FSWatcher[] = [];
  const close = () => {
    for (const one of watchers) one.close();
  };
  const look = (folder: string, told: (file: string | null) => void, options: { recursive?: true } = {}) => {
    const one = watch(folder, options, (_, file) => told(file));
    one.on("error", close);
    watchers.push(one);
  };
  try {
    look(home.fleet, (file) => {
      if (file === log) chat.ring();
      if (file === written) chat.written();
      if (file === roster) chat.reread();
    });
    makeFolder(home.agents);
    look(
      home.agents,
      (file) => {
        if (file !== null && stirring.test(file)) chat.ring();
      },
      { recursive: true },
    );
    const tokenFolder = dirname(connectorTokenPath(home, "any"));
    makeFolder(tokenFolder);
    look(tokenFolder, () => chat.reread());
    // A link into somebody's dotfiles does not change when what it leads to does.
    const real = realOf(home.roster);
    if (real !== undefined && dirname(real) !== home.fleet)
      look(dirname(real), (file) => {
        if (file === basename(real)) chat.reread();
      });
    return { close };
  } catch {
    close();
    return undefined;
  }
}

function realOf(path: string): string | undefined {
  try {
    return realpathSync(path);
  } catch {
    return undefined;
  }
}
