import { expect, onTestFinished } from "vitest";

import type { Inbound, Mark, Word } from "../../src/connector/connector.ts";
import type { Pace } from "../../src/connector/discord/account.ts";
import { openDiscord } from "../../src/connector/discord/discord.ts";
import { memoryStore } from "../../src/connector/memory-intake.ts";
import type { MemoryStore } from "../../src/connector/memory-intake.ts";
import { soon } from "../../src/connector/suite-rig.ts";
import type { By, Rig, Shown, Where } from "../../src/connector/suite-rig.ts";
import type { Health, Wiring } from "../../src/contract/connector.ts";
import { startDiscordDouble } from "./double.ts";
import type { Fault } from "./faults.ts";
import { quick } from "./pace.ts";

/** A double of its own for one test, and how an account is wired to it. */
export async function discordForTest() {
  const double = await startDiscordDouble();
  onTestFinished(async () => {
    await double.thaw();
    await double[Symbol.asyncDispose]();
  });
  const ids = await double.ids();
  const wiring: Wiring = {
    account: "home",
    platform: "discord",
    agent: undefined,
    url: double.url,
    guild: ids.guild,
    channels: [ids.general],
    owners: [ids.owner],
    users: [],
    mention: false,
  };
  return { double, ids, wiring };
}

/** A connector that listens for one test, and everything that it hears and says of itself. Everybody is heard. */
export function listenTo(
  wiring: Wiring,
  token: string,
  options: {
    store?: MemoryStore;
    words?: readonly Word[];
    pace?: Partial<Pace>;
    admitting?: (rows: readonly Inbound[]) => void;
  } = {},
) {
  const store = options.store ?? memoryStore(() => true, wiring.channels);
  const { intake } = store.open();
  const controller = new AbortController();
  const healths: Health[] = [];
  const logs: string[] = [];
  const connector = openDiscord(wiring, token, { ...quick, ...options.pace });
  const ended: Promise<unknown> = connector
    .run({
      intake: {
        ...intake,
        admit: (rows, cursor) => {
          options.admitting?.(rows);
          return intake.admit(rows, cursor);
        },
      },
      words: options.words ?? [],
      signal: controller.signal,
      tell: (health) => void healths.push(health),
      log: (event, note) => void logs.push(`${event} ${note}`),
    })
    .then(
      () => undefined,
      (error: unknown) => error,
    );
  const stop = async () => {
    controller.abort();
    return ended;
  };
  onTestFinished(async () => void (await stop()));
  const is = (state: Health["state"]) => expect.poll(() => healths.at(-1)?.state, soon).toBe(state);
  const heard = (...texts: string[]) => expect.poll(() => store.handedOn.map((row) => row.text), soon).toEqual(texts);
  return { store, connector, healths, logs, ended, stop, is, heard };
}

/** The mark that a reaction stands for, where it is one. */
export const picturedMark = (picture: string): Mark[] => [pictures[picture] ?? []].flat();
const pictures: Record<string, Mark> = { "👀": "heard", "✅": "done", "⚠️": "failed" };
/** What goes wrong with requests, by the suite's names. */
export const faults: Partial<Record<string, Partial<Fault>>> = {
  limited: { kind: "limit", retryAfter: { body: 0.05, header: 0.01, reset: 0.02 } },
  broken: { kind: "status", status: 503 },
  reset: { kind: "reset" },
  garbled: { kind: "garbled" },
  "reset-after": { kind: "reset-after" },
};

/** Discord, as the contract suite sees it. */
export async function discordRig(): Promise<Rig> {
  const { double, ids, wiring } = await discordForTest();
  const channelOf = async (where: Where = {}, by: By = "owner") =>
    where.thread ?? (where.isDirect === true ? double.direct(by) : ids.general);
  return {
    token: ids.token,
    chat: ids.general,
    owner: ids.owner,
    open: () => openDiscord(wiring, ids.token, quick),
    say: async (by, text, where) => double.post(by, await channelOf(where, by), { text, replyTo: where?.replyTo }),
    edit: (id, text) => double.edit(ids.general, id, text),
    remove: (id) => double.remove(ids.general, id),
    press: async (by, message, choice) => {
      const id = await double.press(by, ids.general, message, choice);
      return async () => (await double.interaction(id))?.answered?.type === 6;
    },
    newThread: () => double.thread(ids.general),
    directChat: (by) => double.direct(by),
    typed: async () => (await double.typings()).length,
    shown: async (where) => {
      const messages = await double.shown(await channelOf(where));
      return messages.map((one): Shown => ({
        id: one.id,
        text: one.content,
        isOurs: one.author.id === ids.bot,
        marks: one.reactions.flatMap((reaction) => picturedMark(reaction.emoji.name)),
        choices: one.components.flatMap((row) => (row.components ?? []).map((button) => button.custom_id ?? "")),
        replyTo: one.message_reference?.message_id,
        files: one.attachments.map((file) => ({
          name: file.filename,
          content: String(double.raw.world.contents.get(`${file.id}/${file.filename}`)?.content),
        })),
      }));
    },
    trouble: async (what, times = 1) => {
      const fault = faults[what];
      if (fault !== undefined) return double.fault({ kind: "status", times, ...fault });
      if (what === "outage") await double.down();
      else if (what === "half-open") await double.freeze();
      else if (what === "lost-session") await double.forget();
      else if (what === "cut") await double.drop();
      else if (what === "duplicates") await double.behave({ duplicate: times });
      else if (what === "disorder") await double.behave({ shuffle: times });
      else await double.revoke();
    },
    mend: async (what) => (what === "outage" ? double.up() : double.thaw()),
  };
}
