import type { Wiring } from "../../contract/connector.ts";
import type { Place } from "./inbound.ts";

export interface RawChannel {
  id?: string;
  type?: number;
  guild_id?: string;
  parent_id?: string | null;
  last_message_id?: string | null;
}

const threadTypes = new Set([10, 11, 12]);
const isThread = (channel: RawChannel): boolean => threadTypes.has(channel.type ?? -1);
export const isDirectChannel = (channel: RawChannel): boolean => channel.type === 1;

/**
 * What Discord tells by itself of the channels that there are, threads too, and of what is above each. One that it has told
 * of need not be looked up, and while one is looked up whatever comes after waits.
 */
export function toldChannels({ guild }: Wiring) {
  const told = new Map<string, RawChannel>();
  // Of each no more than is asked for: a large server has thousands.
  const learn = ({ id, type = 0, parent_id = null }: RawChannel) =>
    void (id !== undefined && told.set(id, { id, type, parent_id }));
  return {
    find: (id: string) => told.get(id),
    learn(name: string, data: unknown): void {
      const { id, channels = [], threads = [] } = (data ?? {}) as Told;
      if (name === "GUILD_CREATE" && id === guild) [...channels, ...threads].forEach(learn);
      if (name === "CHANNEL_CREATE" || name === "THREAD_CREATE" || name === "THREAD_UPDATE") learn(data as RawChannel);
    },
  };
}

interface Told {
  id?: string;
  channels?: RawChannel[];
  threads?: RawChannel[];
}

/** Finds out whether a channel is one where we listen: a wired one, a thread below one, or a direct chat. */
export function placesOf(wiring: Wiring, channelOf: (id: string) => Promise<RawChannel | undefined>) {
  /** Channels that are not wired, with the wired one above them where there is one. */
  const others = new Map<string, string | undefined>();

  async function above(id: string): Promise<string | undefined> {
    if (others.has(id)) return others.get(id);
    const channel = await channelOf(id);
    const parent = channel !== undefined && isThread(channel) ? channel.parent_id : undefined;
    const wired = typeof parent === "string" && wiring.channels.includes(parent) ? parent : undefined;
    others.set(id, wired);
    return wired;
  }

  return async (id: string | undefined, guild: string | undefined): Promise<Place | undefined> => {
    if (id === undefined) return undefined;
    if (guild === undefined) return { chat: id, isDirect: true };
    if (wiring.guild !== undefined && guild !== wiring.guild) return undefined;
    if (wiring.channels.includes(id)) return { chat: id, isDirect: false };
    const parent = wiring.channels.length === 0 ? undefined : await above(id);
    return parent === undefined ? undefined : { chat: parent, thread: id, isDirect: false };
  };
}
