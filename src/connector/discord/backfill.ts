import type { Wiring } from "../../contract/connector.ts";
import type { Inbound } from "../connector.ts";
import { isSnowflake, messageOf, timeOf } from "./inbound.ts";
import type { Place, RawMessage, Us } from "./inbound.ts";
import { isDirectChannel } from "./places.ts";
import type { RawChannel } from "./places.ts";
import type { Answer, Ask } from "./rest.ts";

/** Asks until Discord has answered for good. */
export type Patient = (ask: Ask) => Promise<Extract<Answer, { kind: "ok" | "never" }>>;

/** A place that can be read, and its newest message's id. */
export type Readable = Place & { newest: string | undefined };

const pageSize = 100;
export const threadsUnlisted =
  "Which threads there are is not told, so what is written in them while mosaic is away is not fetched.";

/**
 * Every place where somebody may have written to us: wired channels, threads below them, direct chats. Of archived threads
 * only those with something newer than `after`, or, without it, than anything in the other places. `unlisted`: why it is
 * not known which threads there are.
 */
export async function readablePlaces(wiring: Wiring, known: Iterable<string>, ask: Patient, after?: bigint) {
  const places: Readable[] = [];
  const unreadable: string[] = [];
  let unlisted: string | undefined;
  const newestOf = (channel: RawChannel) => channel.last_message_id ?? undefined;
  for (const id of wiring.channels) {
    const answer = await ask({ method: "GET", path: `/channels/${id}` });
    if (answer.kind === "never") {
      unreadable.push(`Channel ${id} cannot be read. ${answer.why}`);
      continue;
    }
    const channel = answer.body as RawChannel;
    if (wiring.guild !== undefined && channel.guild_id !== wiring.guild) {
      unreadable.push(`Channel ${id} is not on the server ${wiring.guild}.`);
    } else places.push({ chat: id, isDirect: false, newest: newestOf(channel) });
  }
  if (wiring.guild !== undefined && wiring.channels.length > 0) {
    const answer = await ask({ method: "GET", path: `/guilds/${wiring.guild}/threads/active` });
    if (answer.kind === "never") unlisted = `${threadsUnlisted} ${answer.why}`;
    const { threads = [] } = (answer.kind === "ok" ? answer.body : {}) as { threads?: RawChannel[] };
    for (const thread of threads) {
      const { id, parent_id: chat } = thread;
      if (id === undefined || typeof chat !== "string" || !wiring.channels.includes(chat)) continue;
      places.push({ chat, thread: id, isDirect: false, newest: newestOf(thread) });
    }
  }
  const direct = new Set<string>();
  const addDirect = (answer: Answer) => {
    const channel = (answer.kind === "ok" ? answer.body : {}) as RawChannel;
    if (channel.id === undefined || !isDirectChannel(channel) || direct.has(channel.id)) return;
    direct.add(channel.id);
    places.push({ chat: channel.id, isDirect: true, newest: newestOf(channel) });
  };
  // An owner's first message may come while we are away, and a bot cannot list the direct chats that it has.
  for (const owner of wiring.owners) {
    addDirect(await ask({ method: "POST", path: "/users/@me/channels", body: { recipient_id: owner } }));
  }
  for (const chat of known) {
    if (wiring.channels.includes(chat) || direct.has(chat)) continue;
    addDirect(await ask({ method: "GET", path: `/channels/${chat}` }));
  }
  const newest = places.reduce((most, one) => (isNewer(one.newest, most) ? BigInt(one.newest) : most), 0n);
  for (const { chat } of places.filter((one) => !one.isDirect && one.thread === undefined))
    places.push(...(await archivedIn(chat, after ?? newest, ask)));
  return { places, unreadable, unlisted };
}

const isNewer = (id: string | undefined, than: bigint): id is string => isSnowflake(id) && BigInt(id) > than;

/** A thread that nobody writes in is archived by Discord itself, after an hour if so set: mosaic may have been away for longer. */
async function archivedIn(chat: string, after: bigint, ask: Patient): Promise<Readable[]> {
  const places: Readable[] = [];
  for (let before = ""; ;) {
    const path = `/channels/${chat}/threads/archived/public?limit=${pageSize}${before}`;
    const answer = await ask({ method: "GET", path });
    const { threads = [], has_more: more } = (answer.kind === "ok" ? answer.body : {}) as Archived;
    for (const { id, last_message_id: newest } of threads)
      if (id !== undefined && isNewer(newest ?? undefined, after))
        places.push({ chat, thread: id, isDirect: false, newest: newest ?? undefined });
    // The last to be archived come first, and nobody has written in one since it was.
    const at = threads.at(-1)?.thread_metadata?.archive_timestamp ?? "";
    if (more !== true || !(Date.parse(at) > timeOf(after))) return places;
    before = `&before=${encodeURIComponent(at)}`;
  }
}

interface Archived {
  threads?: (RawChannel & { thread_metadata?: { archive_timestamp?: string } })[];
  has_more?: boolean;
}

/** Hands over what was said in a place after that id, oldest first, a page at a time. Returns why it cannot be read, if so. */
export async function backfill(
  place: Readable,
  after: bigint,
  around: { us: Us; ask: Patient; keep: (rows: Inbound[]) => void },
): Promise<string | undefined> {
  if (place.newest !== undefined && isSnowflake(place.newest) && BigInt(place.newest) <= after) return undefined;
  const channel = place.thread ?? place.chat;
  for (let from = after; ;) {
    const path = `/channels/${channel}/messages?after=${from}&limit=${pageSize}`;
    const answer = await around.ask({ method: "GET", path });
    if (answer.kind === "never") return `Channel ${channel} cannot be read. ${answer.why}`;
    // Taking it for an empty page would lose what is there.
    if (!Array.isArray(answer.body)) throw new Error("Discord's answer is no list of messages.");
    const page = (answer.body as RawMessage[])
      .flatMap((raw) => (isSnowflake(raw.id) && BigInt(raw.id) > from ? [{ raw, id: BigInt(raw.id) }] : []))
      .toSorted((one, other) => (one.id < other.id ? -1 : 1));
    const { newest: _, ...where } = place;
    const rows = page.flatMap(({ raw }) => messageOf(raw, where, around.us) ?? []);
    if (rows.length > 0) around.keep(rows);
    const last = page.at(-1);
    if (last === undefined || page.length < pageSize) return undefined;
    from = last.id;
  }
}
