import { randomBytes } from "node:crypto";

import { expect, onTestFinished } from "vitest";

import { openDiscord } from "../../src/connector/discord/discord.ts";
import type { By, Lacks, Rig, Shown, Where } from "../../src/connector/suite-rig.ts";
import type { Wiring } from "../../src/contract/connector.ts";
import { standBetween } from "./between.ts";
import { quick } from "./pace.ts";
import { personOnline } from "./person.ts";
import { faults, picturedMark } from "./rig.ts";
import type { Message } from "./world.ts";

/** A server that speaks Discord's API, with a bot on it and two people, of whom the owner may make channels. */
export interface Server {
  api: string;
  token: string;
  bot: string;
  guild: string;
  owner: { id: string; token: string };
  stranger: { id: string; token: string };
  /** The bot's application, where people press buttons over REST too, as their clients do. */
  application?: string;
  /** What that server is known not to do, and why. */
  lacks?: Lacks;
}

/** What cannot be asked of that server. */
export const lacksOf = (server: Pick<Server, "lacks" | "application">): Lacks => ({
  ...(server.application === undefined && { choices: "people press in their own clients" }),
  ...server.lacks,
});

/** People who speak over REST, as their clients do: for any server that speaks Discord's API. Each rig has a channel of its own. */
export async function restRig(server: Server) {
  const between = await standBetween(server.api);
  onTestFinished(async () => between.down().catch(() => {}));
  async function as<T>(by: By, method: string, path: string, body?: unknown): Promise<T> {
    const response = await fetch(`${server.api}/v10${path}`, {
      method,
      headers: { authorization: server[by].token, "content-type": "application/json" },
      body: body === undefined ? null : JSON.stringify(body),
      signal: AbortSignal.timeout(10_000),
    });
    const text = await response.text();
    expect(response.status, `${method} ${path}: ${text}`).toBeLessThan(300);
    return (text === "" ? undefined : JSON.parse(text)) as T;
  }
  const idOf = async (by: By, path: string, body: unknown) => (await as<{ id: string }>(by, "POST", path, body)).id;
  const chat = await idOf("owner", `/guilds/${server.guild}/channels`, {
    name: `t-${randomBytes(4).toString("hex")}`,
    type: 0,
  });
  const directChat = (by: By) => idOf(by, "/users/@me/channels", { recipient_id: server.bot });
  const channelOf = async (where: Where = {}, by: By = "owner") =>
    where.thread ?? (where.isDirect === true ? directChat(by) : chat);
  const wiring: Wiring = {
    account: "far",
    platform: "discord",
    agent: undefined,
    url: between.api,
    guild: server.guild,
    channels: [chat],
    owners: [server.owner.id],
    users: [],
    mention: false,
  };
  async function press(by: By, message: string, choice: string): Promise<() => Promise<boolean>> {
    const { url } = await as<{ url: string }>(by, "GET", "/gateway");
    const person = await personOnline(url, server[by].token);
    onTestFinished(person.end);
    const nonce = randomBytes(8).toString("hex");
    await as(by, "POST", "/interactions", {
      type: 3,
      nonce,
      application_id: server.application,
      guild_id: server.guild,
      channel_id: chat,
      message_id: message,
      message_flags: 0,
      session_id: nonce,
      data: { component_type: 2, custom_id: choice },
    });
    return async () => person.told.some((one) => one.name === "INTERACTION_SUCCESS" && one.data["nonce"] === nonce);
  }
  const rig: Rig = {
    token: server.token,
    chat,
    owner: server.owner.id,
    // Somebody else's server may take its time.
    open: () => openDiscord(wiring, server.token, { ...quick, beatMs: 500, deadMs: 5_000, requestMs: 5_000 }),
    say: async (by, content, where) =>
      idOf(by, `/channels/${await channelOf(where, by)}/messages`, {
        content,
        ...(where?.replyTo !== undefined && { message_reference: { message_id: where.replyTo } }),
      }),
    edit: (id, content) => as("owner", "PATCH", `/channels/${chat}/messages/${id}`, { content }),
    remove: (id) => as("owner", "DELETE", `/channels/${chat}/messages/${id}`),
    press,
    newThread: () => idOf("owner", `/channels/${chat}/threads`, { name: "thread", type: 11 }),
    directChat,
    typed: async () => undefined,
    shown: async (where) => {
      const all = await as<Message[]>("owner", "GET", `/channels/${await channelOf(where)}/messages?limit=100`);
      return Promise.all(
        all.toReversed().map(async (one): Promise<Shown> => ({
          id: one.id,
          text: one.content,
          isOurs: one.author.id === server.bot,
          marks: (one.reactions ?? []).flatMap((reaction) => picturedMark(reaction.emoji.name)),
          choices: (one.components ?? []).flatMap((row) =>
            (row.components ?? []).map((button) => button.custom_id ?? ""),
          ),
          replyTo: one.message_reference?.message_id,
          files: await Promise.all(
            one.attachments.map(async (file) => ({
              name: file.filename,
              content: await (await fetch(file.url)).text(),
            })),
          ),
        })),
      );
    },
    trouble: async (what, times = 1) => {
      const fault = faults[what];
      if (fault !== undefined) between.fault({ kind: "status", ...fault, times });
      else if (what === "outage") await between.down();
      else if (what === "half-open") between.mood.isFrozen = true;
      else if (what === "lost-session") between.mood.refusesResume = true;
      else if (what === "cut") between.cut();
      else if (what === "duplicates") between.mood.duplicate = times;
      else if (what === "disorder") between.mood.shuffle = times;
      else {
        between.mood.isRevoked = true;
        between.cut(4004);
      }
    },
    mend: async (what) => (what === "outage" ? between.up() : between.thaw()),
  };
  return { ...rig, wiring, as };
}
