import { randomBytes } from "node:crypto";

import { expect } from "vitest";

import { openDiscord } from "../../src/connector/discord/discord.ts";
import type { By, Lacks, Rig, Shown, Where } from "../../src/connector/suite-rig.ts";
import type { Wiring } from "../../src/contract/connector.ts";
import { picturedMark, quick } from "./rig.ts";
import type { Message } from "./world.ts";

/** A server that speaks Discord's API, with a bot on it and two people, of whom the owner may make channels. */
export interface Server {
  api: string;
  token: string;
  bot: string;
  guild: string;
  owner: { id: string; token: string };
  stranger: { id: string; token: string };
  /** What that server is known not to do, and why. */
  lacks?: Lacks;
}

const ours = "only our own double can be made to";
/** Of what goes wrong nothing can be asked of somebody else's server. */
export const lacksOf = (server: Pick<Server, "lacks">): Lacks => ({
  outage: ours,
  "half-open": ours,
  "lost-session": ours,
  cut: ours,
  duplicates: ours,
  disorder: ours,
  limited: ours,
  broken: ours,
  reset: ours,
  garbled: ours,
  "reset-after": ours,
  revoked: ours,
  choices: "people press in their own clients",
  ...server.lacks,
});

/** People who speak over REST, as their clients do: for any server that speaks Discord's API. Each rig has a channel of its own. */
export async function restRig(server: Server): Promise<Rig> {
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
    url: server.api,
    guild: server.guild,
    channels: [chat],
    owners: [server.owner.id],
    users: [],
    mention: false,
  };
  const cannot = async (): Promise<never> => {
    throw new Error(`This cannot be done here: ${ours}.`);
  };
  return {
    token: server.token,
    chat,
    owner: server.owner.id,
    // Somebody else's server may take its time.
    open: () => openDiscord(wiring, server.token, { ...quick, deadMs: 15_000, requestMs: 10_000 }),
    say: async (by, content, where) =>
      idOf(by, `/channels/${await channelOf(where, by)}/messages`, {
        content,
        ...(where?.replyTo !== undefined && { message_reference: { message_id: where.replyTo } }),
      }),
    edit: (id, content) => as("owner", "PATCH", `/channels/${chat}/messages/${id}`, { content }),
    remove: (id) => as("owner", "DELETE", `/channels/${chat}/messages/${id}`),
    press: cannot,
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
    trouble: cannot,
    mend: cannot,
  };
}
