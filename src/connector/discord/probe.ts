import type { Wiring } from "../../contract/connector.ts";
import { FleetError } from "../../lib/errors.ts";
import type { Probe, Speaker } from "../connector.ts";
import { threadsUnlisted } from "./backfill.ts";
import { menuPath } from "./menu.ts";
import type { RawChannel } from "./places.ts";
import type { Answer, Rest } from "./rest.ts";
import { missingRights } from "./rights.ts";
import type { RawGuild } from "./rights.ts";

const probeMs = 15_000;
/** So far clocks may be apart without a word. */
const clockMs = 120_000;
/** Fewer new connections than this are soon used up. */
const fewConnections = 20;
/** Channels that take messages themselves: text, voice (it has a chat), announcements, a stage's chat; no forum, no category. */
const written = new Set([0, 2, 5, 13]);
const messageContent = (1 << 18) | (1 << 19);
/** What a bot may that is invited by our link: see, send, in threads too, with links and files, read what was said, react. */
const invited = "274878024768";

/** Where the steps of one test meet. */
interface Look {
  wiring: Wiring;
  /** Discord's answer for good. Throws where there is none yet, or the token is refused. */
  at(path: string): Promise<Extract<Answer, { kind: "ok" | "never" }>>;
  /** What is to be thrown where a person must mend something first. */
  stop: (code: "conflict" | "not-found" | "unreachable", why: string) => FleetError;
  warn(text: string): void;
}

/** Looks whether everything is as it must be, and says what to do where it is not. Changes nothing. */
export async function probeAccount(wiring: Wiring, rest: Rest, signal: AbortSignal): Promise<Probe> {
  const warnings: string[] = [];
  const hint = `mosaic fleet connect test ${wiring.account}`;
  const stop: Look["stop"] = (code, why) => new FleetError(code, why, { hint });
  const look: Look = {
    wiring,
    stop,
    warn: (text) => void warnings.push(text),
    async at(path) {
      const answer = await rest({ method: "GET", path }, AbortSignal.any([signal, AbortSignal.timeout(probeMs)]));
      if (answer.kind === "later" || answer.kind === "unknown") {
        const wait = answer.kind === "later" ? answer.afterMs : undefined;
        const again = `Try again${wait === undefined ? "" : ` in ${Math.ceil(wait / 1_000)} s`}.`;
        throw stop("unreachable", `${answer.why} ${again}`);
      }
      if (answer.kind === "never" && answer.status === 401) {
        const how = "Copy it again: Discord Developer Portal, your application, Bot, Reset Token.";
        // Looking again cannot help: another token must come first.
        const next = `mosaic fleet connect token ${wiring.account}`;
        throw new FleetError("conflict", `Discord refuses the bot's token. ${how}`, { hint: next });
      }
      return answer;
    },
  };
  const self = await probeSelf(look);
  await probeGateway(look);
  const application = await probeApplication(look);
  if (wiring.channels.length > 0) await probeChannels(look, { id: self.id, application: application ?? self.id });
  return { self, warnings };
}

async function probeSelf(look: Look): Promise<Speaker> {
  const me = await look.at("/users/@me");
  if (me.kind === "never") throw look.stop("conflict", `There seems to be no Discord API at that address. ${me.why}`);
  const { id, username = "", bot } = me.body as { id?: string; username?: string; bot?: boolean };
  if (id === undefined) throw look.stop("conflict", "There seems to be no Discord API at that address.");
  if (bot === false)
    throw look.stop("conflict", "That token is a person's own, not a bot's; Discord bans accounts for that.");
  const aheadMs = me.at === undefined ? 0 : Date.now() - me.at;
  if (Math.abs(aheadMs) > clockMs) {
    const how = `${Math.round(Math.abs(aheadMs) / 60_000)} min ${aheadMs > 0 ? "ahead of" : "behind"}`;
    look.warn(
      `This machine's clock is ${how} Discord's: what is said will be taken for late, or late things for new. Set it right: timedatectl set-ntp true`,
    );
  }
  return { id, name: username, isBot: true, isSelf: true };
}

async function probeGateway(look: Look): Promise<void> {
  const gateway = await look.at("/gateway/bot");
  if (gateway.kind === "never") throw look.stop("conflict", `Discord gives no gateway to that bot. ${gateway.why}`);
  const { session_start_limit: limit = {} } = gateway.body as {
    session_start_limit?: { remaining?: number; total?: number };
  };
  if (limit.remaining === undefined || limit.remaining >= fewConnections) return;
  look.warn(
    `Only ${limit.remaining} of ${limit.total ?? 1_000} new connections are left to the bot today: something connects again and again. Stop other programs that use this token.`,
  );
}

/** The application's id, where it is told. */
async function probeApplication(look: Look): Promise<string | undefined> {
  const answer = await look.at("/applications/@me");
  const { id, flags } = (answer.kind === "ok" ? answer.body : {}) as { id?: string; flags?: number };
  if (flags === undefined) {
    look.warn("Whether the bot may read messages could not be looked up; Message Content Intent must be on.");
  } else if ((flags & messageContent) === 0) {
    throw look.stop(
      "conflict",
      "The bot may not read messages yet. Switch on Message Content Intent: Discord Developer Portal, your application, Bot, Privileged Gateway Intents.",
    );
  }
  return id;
}

async function probeChannels(look: Look, us: { id: string; application: string }): Promise<void> {
  const { wiring } = look;
  const invite = `https://discord.com/oauth2/authorize?client_id=${us.id}&scope=bot+applications.commands&permissions=${invited}`;
  const guilds = new Map<string, Promise<RawGuild>>();
  const guildOf = (guild: string): Promise<RawGuild> => {
    const known = guilds.get(guild) ?? probeGuild(look, guild, { id: us.id, invite });
    guilds.set(guild, known);
    return known;
  };
  if (wiring.guild !== undefined) {
    await guildOf(wiring.guild);
    const threads = await look.at(`/guilds/${wiring.guild}/threads/active`);
    if (threads.kind === "never") look.warn(`${threadsUnlisted} ${threads.why}`);
  }
  const menu = await look.at(menuPath(us.application, wiring));
  if (menu.kind === "never") {
    look.warn(
      `The bot may not show its commands in Discord's menu; typed, they work. To show them, invite it again: ${invite}`,
    );
  }
  for (const channel of wiring.channels) await probeChannel(look, channel, { id: us.id, guildOf });
}

async function probeGuild(look: Look, guild: string, us: { id: string; invite: string }): Promise<RawGuild> {
  const answer = await look.at(`/guilds/${guild}`);
  if (answer.kind === "never") {
    const how = `Invite it: ${us.invite}`;
    throw look.stop("not-found", `The bot is not on the server ${guild}, or that is not its id. ${how}`);
  }
  const member = await look.at(`/guilds/${guild}/members/${us.id}`);
  const { roles } = (member.kind === "ok" ? member.body : {}) as { roles?: string[] };
  return { ...(answer.body as RawGuild), id: guild, memberRoles: roles };
}

async function probeChannel(
  look: Look,
  channel: string,
  us: { id: string; guildOf: (guild: string) => Promise<RawGuild> },
): Promise<void> {
  const { wiring, stop } = look;
  const answer = await look.at(`/channels/${channel}`);
  if (answer.kind === "never") {
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
    throw stop(
      "conflict",
      `${name} (${channel}) takes no messages itself: it is no text channel but a category, a forum, or a thread. Name another.`,
    );
  }
  const { needed, useful } = missingRights(await us.guildOf(guild), found, us.id);
  if (needed.length > 0) {
    const how = "Give its role these rights in the channel's permissions.";
    throw stop("conflict", `In ${name} the bot lacks: ${needed.join(", ")}. ${how}`);
  }
  if (useful.length > 0) {
    const lost = "It works without, but marks or files will be missing.";
    look.warn(`In ${name} the bot lacks: ${useful.join(", ")}. ${lost}`);
  }
  const history = await look.at(`/channels/${channel}/messages?limit=1`);
  if (history.kind === "never") throw stop("conflict", `The messages in ${name} cannot be read. ${history.why}`);
}
