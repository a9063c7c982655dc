import type { Wiring } from "../../contract/connector.ts";
import type { Us } from "./inbound.ts";

/** What Discord tells of a server and of whoever is in it. */
interface Told {
  id?: string;
  guild_id?: string;
  unavailable?: boolean;
  user?: { id?: string };
  role?: { id?: string };
  role_id?: string;
  roles?: unknown;
  members?: { user?: { id?: string }; roles?: string[] }[];
}

/**
 * Whether it may change what can be heard: a server comes or lets the bot go, a wired channel goes or is changed, the
 * bot's rights are. Nothing else would tell: a channel that the bot may not see any more is just silent.
 */
export function changesReach(name: string, data: unknown, us: Us, { guild, channels }: Wiring): boolean {
  const { id = "", guild_id: of, unavailable, user, role, role_id: gone } = (data ?? {}) as Told;
  switch (name) {
    case "GUILD_CREATE":
      return id === guild;
    case "GUILD_DELETE":
      return id === guild && unavailable !== true; // an outage of Discord's own: it says when that is over
    case "CHANNEL_UPDATE":
    case "CHANNEL_DELETE":
      return channels.includes(id);
    case "GUILD_MEMBER_UPDATE":
      return of === guild && user?.id === us.id;
    case "GUILD_ROLE_UPDATE":
    case "GUILD_ROLE_DELETE":
      return of === guild && (role?.id === guild || us.roles.includes(role?.id ?? gone ?? ""));
    default:
      return false;
  }
}

/** The roles that the bot has now, where it is told: whoever names one of them names the bot. */
export function rolesTold(name: string, data: unknown, us: Us, { guild }: Wiring): readonly string[] | undefined {
  const { id, guild_id: of, user, roles, members } = (data ?? {}) as Told;
  if (name === "GUILD_CREATE" && id === guild) return members?.find((one) => one.user?.id === us.id)?.roles;
  if (name !== "GUILD_MEMBER_UPDATE" || of !== guild || user?.id !== us.id || !Array.isArray(roles)) return undefined;
  return roles.filter((role) => typeof role === "string");
}
