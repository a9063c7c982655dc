import { realpathSync, rmSync } from "node:fs";
import { join } from "node:path";

import type { Wiring } from "../contract/connector.ts";
import { writeAtomic } from "../lib/atomic.ts";
import { FleetError } from "../lib/errors.ts";
import { withLock } from "../lib/lock.ts";
import { addEntry, removeEntry, setValue } from "../roster/edit.ts";
import { parseRoster, readRosterText } from "../roster/load.ts";
import { connectorTokenPath } from "./credentials.ts";
import type { World } from "./world.ts";

/** Changes the roster's text, keeps everything else in it byte for byte, and writes nothing that is not a valid roster. */
async function edit(world: World, change: (text: string, connectors: readonly Wiring[]) => string): Promise<void> {
  const { roster: path, user, locks } = world.home;
  await withLock(join(locks, "roster.lock"), { what: "the roster" }, () => {
    const text = readRosterText(path);
    const changed = change(text, parseRoster(text, path, user).connectors);
    if (changed === text) return;
    parseRoster(changed, path, user);
    // A roster that lies elsewhere (a link into somebody's dotfiles) is written where it lies.
    writeAtomic(realpathSync(path), changed);
    world.log({ event: "roster-written", note: path });
  });
}

/** The account of that name, or the sentence that says which there are. */
export function wiringNamed(connectors: readonly Wiring[], account: string): Wiring {
  const found = connectors.find((one) => one.account === account);
  if (found !== undefined) return found;
  const names = connectors.map((one) => one.account);
  const there =
    names.length === 0 ? "There is none yet" : `There ${names.length === 1 ? "is" : "are"} ${names.join(", ")}`;
  throw new FleetError("not-found", `No account is named ${JSON.stringify(account)}. ${there}.`, {
    hint: names.length === 0 ? "mosaic fleet connect add discord" : "mosaic fleet connect list",
  });
}

/** What the roster says of a new account: only what differs from the defaults. */
function entryOf({ account, platform, mention, ...wiring }: Wiring): Record<string, unknown> {
  const { agent, url, guild, channels, owners, users } = wiring;
  return {
    ...(platform !== account && { platform }),
    ...(agent !== undefined && { agent }),
    ...(url !== undefined && { url }),
    ...(guild !== undefined && { guild }),
    channels: [...channels],
    owners: [...owners],
    ...(users.length > 0 && { users: [...users] }),
    ...(!mention && { mention }),
  };
}

/** The roster's text with that account in it: added, or changed where it is there already. */
export function withAccount(text: string, connectors: readonly Wiring[], wiring: Wiring): string {
  const before = connectors.find((one) => one.account === wiring.account);
  if (before === undefined) return addEntry(text, "connectors", wiring.account, entryOf(wiring));
  return Object.entries({
    ...entryOf(wiring),
    // Back to what holds without a word is a change too.
    ...(wiring.mention !== before.mention && { mention: wiring.mention }),
  }).reduce((edited, [key, value]) => setValue(edited, ["connectors", wiring.account, key], value), text);
}

/** Keeps an account's token: a file of its own, for its owner only. */
export function keepToken(world: World, account: string, token: string): void {
  writeAtomic(connectorTokenPath(world.home, account), `${token}\n`, { mode: 0o600 });
}

/** A name is one account's; what is wired already is changed where it stands, and that is taken up at once. */
export function refuseTaken({ home }: World, connectors: readonly Wiring[], account: string): void {
  if (!connectors.some((one) => one.account === account)) return;
  throw new FleetError("conflict", `There is an account ${account} already.`, {
    hint: `change it under connectors in ${home.roster}, or: mosaic fleet connect remove ${account}`,
  });
}

/** Adds an account. The token is kept first: an account without one would be an alarm. */
export async function addAccount(world: World, wiring: Wiring, token: string): Promise<void> {
  await edit(world, (text, connectors) => {
    refuseTaken(world, connectors, wiring.account);
    const changed = addEntry(text, "connectors", wiring.account, entryOf(wiring));
    // A token is kept only for an account that there can be.
    parseRoster(changed, world.home.roster, world.home.user);
    keepToken(world, wiring.account, token);
    return changed;
  });
}

export async function removeAccount(world: World, account: string): Promise<void> {
  await edit(world, (text, connectors) => {
    wiringNamed(connectors, account);
    return removeEntry(text, "connectors", account);
  });
  rmSync(connectorTokenPath(world.home, account), { force: true });
}

/** Makes somebody an owner or a user of an account, or neither. */
export async function letIn(
  world: World,
  account: string,
  speaker: string,
  standing: "owner" | "user" | undefined,
): Promise<void> {
  await edit(world, (text, connectors) => {
    const { owners, users } = wiringNamed(connectors, account);
    if (standing === undefined && !owners.includes(speaker) && !users.includes(speaker)) {
      const all = [...owners.map((id) => `${id} (owner)`), ...users.map((id) => `${id} (user)`)];
      const there = all.length === 0 ? "Nobody is" : `Let in: ${all.join(", ")}`;
      throw new FleetError("not-found", `${speaker} is not let in on ${account}. ${there}.`, {
        hint: "mosaic fleet connect pair revoke NAME ID",
      });
    }
    const without = (list: readonly string[]) => list.filter((one) => one !== speaker);
    const lists = { owners: without(owners), users: without(users) };
    if (standing === "owner") lists.owners.push(speaker);
    if (standing === "user") lists.users.push(speaker);
    let changed = text;
    for (const [key, list, before] of [
      ["owners", lists.owners, owners],
      ["users", lists.users, users],
    ] as const)
      if (list.join() !== before.join()) changed = setValue(changed, ["connectors", account, key], list);
    return changed;
  });
}
