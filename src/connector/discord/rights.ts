import type { RawChannel } from "./places.ts";

/** A server's roles, and those that the bot has; undefined where that could not be looked up. */
export interface RawGuild {
  id?: string;
  owner_id?: string;
  roles?: { id?: string; permissions?: string }[];
  memberRoles?: string[] | undefined;
}
type Overwrite = { id?: string; type?: number; allow?: string; deny?: string };

/** Without these it cannot listen and answer. */
const needed: Record<string, bigint> = {
  "View Channel": 1n << 10n,
  "Send Messages": 1n << 11n,
  "Read Message History": 1n << 16n,
};
/** Without these something is missing. */
const useful: Record<string, bigint> = {
  "Add Reactions": 1n << 6n,
  "Attach Files": 1n << 15n,
  "Send Messages in Threads": 1n << 38n,
};
const administrator = 1n << 3n;

/** What the bot may not do in a channel, as Discord adds it up: everyone, then roles, then itself. */
export function missingRights(guild: RawGuild, channel: RawChannel, us: string) {
  const have = rightsIn(guild, channel, us);
  const missing = (rights: Record<string, bigint>) =>
    Object.entries(rights).flatMap(([name, bit]) => (have === undefined || (have & bit) !== 0n ? [] : [name]));
  return { needed: missing(needed), useful: missing(useful) };
}

function rightsIn(guild: RawGuild, channel: RawChannel & { permission_overwrites?: Overwrite[] }, us: string) {
  const mine = guild.memberRoles;
  if (mine === undefined || guild.roles === undefined) return undefined;
  if (guild.owner_id === us) return ~0n;
  const isOurs = (id: string | undefined) => id !== undefined && (id === guild.id || mine.includes(id));
  let have = 0n;
  for (const role of guild.roles) if (isOurs(role.id)) have |= BigInt(role.permissions ?? "0");
  if ((have & administrator) !== 0n) return ~0n;
  const overwrites = channel.permission_overwrites ?? [];
  const apply = (which: Overwrite[]) => {
    for (const { deny } of which) have &= ~BigInt(deny ?? "0");
    for (const { allow } of which) have |= BigInt(allow ?? "0");
  };
  apply(overwrites.filter((one) => one.id === guild.id));
  apply(overwrites.filter((one) => one.type === 0 && one.id !== guild.id && isOurs(one.id)));
  apply(overwrites.filter((one) => one.type === 1 && one.id === us));
  return have;
}
