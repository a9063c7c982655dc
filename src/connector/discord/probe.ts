import type { Wiring } from "../../contract/connector.ts";
import { FleetError } from "../../lib/errors.ts";
import type { Probe } from "../connector.ts";
import { threadsUnlisted } from "./backfill.ts";
import { menuPath } from "./menu.ts";
import type { RawChannel } from "./places.ts";
import type { Answer, Rest } from "./rest.ts";
import { missingRights } from "./rights.ts";
import type { RawGuild } from "./rights.ts";

const probeMs = 15_000;
/** So far clocks may be apart without a word. */
const clockMs = 120_000;
/** Channels in which people can write: text, voice (it has a chat), announcements, a stage's chat, forums, media. */
const written = new Set([0, 2, 5, 13, 15, 16]);
const messageContent = (1 << 18) | (1 << 19);

/** Looks whether everything is as it must be, and says what to do where it is not. Changes nothing. */
export async function probeAccount(wiring: Wiring, rest: Rest, signal: AbortSignal): Promise<Probe> {
  const hint = `mosaic fleet connect test ${wiring.account}`;
  const stop = (code: "conflict" | "not-found" | "unreachable", why: string) => new FleetError(code, why, { hint });
  const look = async (path: string): Promise<Answer> => {
    const answer = await rest({ method: "GET", path }, AbortSignal.any([signal, AbortSignal.timeout(probeMs)]));
    if (answer.kind === "later" || answer.kind === "unknown") {
      const wait = answer.kind === "later" ? answer.afterMs : undefined;
      throw stop(
        "unreachable",
        `${answer.why} Try again${wait === undefined ? "" : ` in ${Math.ceil(wait / 1_000)} s`}.`,
      );
    }
    if (answer.kind === "never" && answer.status === 401) {
      throw stop(
        "conflict",
        "Discord refuses the bot's token. Copy it again: Discord Developer Portal, your application, Bot, Reset Token.",
      );
    }
    return answer;
  };
  const warnings: string[] = [];

  const me = await look("/users/@me");
  if (me.kind !== "ok") throw stop("conflict", `There seems to be no Discord API at that address. ${whyOf(me)}`);
  const { id, username = "", bot } = me.body as { id?: string; username?: string; bot?: boolean };
  if (id === undefined) throw stop("conflict", "There seems to be no Discord API at that address.");
  if (bot === false)
    throw stop("conflict", "That token is a person's own, not a bot's; Discord bans accounts for that.");

  const aheadMs = me.at === undefined ? 0 : Date.now() - me.at;
  if (Math.abs(aheadMs) > clockMs) {
    const how = `${Math.round(Math.abs(aheadMs) / 60_000)} min ${aheadMs > 0 ? "ahead of" : "behind"}`;
    warnings.push(
      `This machine's clock is ${how} Discord's: what is said will be taken for late, or late things for new. Set it right: timedatectl set-ntp true`,
    );
  }

  const gateway = await look("/gateway/bot");
  if (gateway.kind !== "ok") throw stop("conflict", `Discord gives no gateway to that bot. ${whyOf(gateway)}`);
  const { session_start_limit: limit } = gateway.body as {
    session_start_limit?: { remaining?: number; total?: number };
  };
  if (limit?.remaining !== undefined && limit.remaining < 20) {
    warnings.push(
      `Only ${limit.remaining} of ${limit.total ?? 1_000} new connections are left to the bot today: something connects again and again. Stop other programs that use this token.`,
    );
  }

  const application = await look("/applications/@me");
  const { id: app = id, flags } = (application.kind === "ok" ? application.body : {}) as {
    id?: string;
    flags?: number;
  };
  if (flags === undefined) {
    warnings.push("Whether the bot may read messages could not be looked up; Message Content Intent must be on.");
  } else if ((flags & messageContent) === 0) {
    throw stop(
      "conflict",
      "The bot may not read messages yet. Switch on Message Content Intent: Discord Developer Portal, your application, Bot, Privileged Gateway Intents.",
    );
  }
  const self = { id, name: username, isBot: true, isSelf: true };
  if (wiring.channels.length === 0) return { self, warnings };

  const invite = `https://discord.com/oauth2/authorize?client_id=${id}&scope=bot+applications.commands&permissions=274878024768`;
  const guilds = new Map<string, RawGuild>();
  const guildOf = async (guild: string): Promise<RawGuild> => {
    const known = guilds.get(guild);
    if (known !== undefined) return known;
    const answer = await look(`/guilds/${guild}`);
    if (answer.kind !== "ok") {
      throw stop("not-found", `The bot is not on the server ${guild}, or that is not its id. Invite it: ${invite}`);
    }
    const member = await look(`/guilds/${guild}/members/${id}`);
    const { roles } = (member.kind === "ok" ? member.body : {}) as { roles?: string[] };
    const found = { ...(answer.body as RawGuild), id: guild, memberRoles: roles };
    guilds.set(guild, found);
    return found;
  };
  if (wiring.guild !== undefined) {
    await guildOf(wiring.guild);
    const threads = await look(`/guilds/${wiring.guild}/threads/active`);
    if (threads.kind !== "ok") warnings.push(`${threadsUnlisted} ${whyOf(threads)}`);
  }
  if ((await look(menuPath(app, wiring))).kind !== "ok") {
    warnings.push(
      `The bot may not show its commands in Discord's menu; typed, they work. To show them, invite it again: ${invite}`,
    );
  }

  for (const channel of wiring.channels) {
    const answer = await look(`/channels/${channel}`);
    if (answer.kind !== "ok") {
      throw stop(
        "not-found",
        `The bot cannot see the channel ${channel}. Check its id (right click, Copy Channel ID), and let the bot view it in the channel's permissions.`,
      );
    }
    const found = answer.body as RawChannel & { name?: string };
    const name = `#${found.name ?? channel}`;
    const guild = found.guild_id;
    if (guild === undefined || (wiring.guild !== undefined && guild !== wiring.guild)) {
      throw stop("conflict", `The channel ${name} (${channel}) is not on the server ${wiring.guild ?? "of the bot"}.`);
    }
    if (!written.has(found.type ?? 0)) {
      throw stop("conflict", `Nobody can write in ${name} (${channel}): it is no text channel. Name another.`);
    }
    const { needed, useful } = missingRights(await guildOf(guild), found, id);
    if (needed.length > 0) {
      throw stop(
        "conflict",
        `In ${name} the bot lacks: ${needed.join(", ")}. Give its role these rights in the channel's permissions.`,
      );
    }
    if (useful.length > 0) {
      warnings.push(
        `In ${name} the bot lacks: ${useful.join(", ")}. It works without, but marks or files will be missing.`,
      );
    }
    const history = await look(`/channels/${channel}/messages?limit=1`);
    if (history.kind !== "ok") throw stop("conflict", `The messages in ${name} cannot be read. ${whyOf(history)}`);
  }
  return { self, warnings };
}

const whyOf = (answer: Answer): string => (answer.kind === "ok" ? "" : answer.why);
