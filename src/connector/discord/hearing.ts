import { pause } from "../../lib/wait.ts";
import type { Inbound } from "../connector.ts";
import type { Listening } from "./account.ts";
import { backfill, readablePlaces } from "./backfill.ts";
import type { Patient } from "./backfill.ts";
import type { Event } from "./gateway.ts";
import { deletionOf, deletionsOf, editOf, interactionOf, messageOf } from "./inbound.ts";
import type { Place, RawInteraction, RawMessage, Us } from "./inbound.ts";
import { placesOf, toldChannels } from "./places.ts";
import type { RawChannel } from "./places.ts";
import { fetchAfter, missedAfter } from "./progress.ts";
import { changesReach, rolesTold } from "./reach.ts";
import { recordOf } from "./record.ts";

const acknowledgeMs = 3_000;

/**
 * Keeps what comes in, and how far we have heard. Outlives connections: what one has missed, the next fetches.
 */
export function hearing(at: Listening, caughtUp: (unreadable: readonly string[]) => void) {
  const { intake, wiring, rest } = at;
  const heard = recordOf(at);
  const channels = toldChannels(wiring);
  /** What is being fetched may have been read too early. */
  let fetchAgain = false;
  let fetching: Promise<void> = Promise.resolve();
  /** What could not be read when it was last tried. */
  let unread: readonly string[] = [];

  /** Fetches what was missed; live events are kept meanwhile and wait for it. */
  async function catchUp(us: Us, ask: Patient): Promise<void> {
    fetchAgain = false;
    const before = heard.progress();
    const after = before && missedAfter(before);
    const { places, unreadable, unlisted } = await readablePlaces(wiring, heard.chats(), ask, after);
    for (const place of places) {
      const progress = heard.progress();
      if (progress === undefined) return;
      const from = fetchAfter(progress, place.thread ?? place.chat);
      const why = await backfill(place, from, { us, ask, keep: (rows) => heard.keep(rows) });
      if (why !== undefined) unreadable.push(why);
    }
    if (fetchAgain) return catchUp(us, ask);
    if (unlisted !== undefined) at.log("discord-unreadable", unlisted);
    heard.catchUp();
    for (const why of unreadable) at.log("discord-unreadable", why);
    unread = unreadable;
    caughtUp(unread);
  }

  /** Where we begin in places where we have never been: with what comes after their newest message. */
  async function begin(ask: Patient): Promise<void> {
    const known = intake.known();
    const progress = heard.progress();
    const start = { ...progress?.start };
    const isNew = (chat: string) => start[chat] === undefined && !known.has(chat);
    if (progress !== undefined && !wiring.channels.some(isNew)) return;
    const { places } = await readablePlaces(wiring, known.keys(), ask, progress && missedAfter(progress));
    const fresh = places.filter((place) => progress === undefined || (isNew(place.chat) && !place.isDirect));
    for (const place of fresh) start[place.thread ?? place.chat] = known.get(place.chat) ?? place.newest ?? "0";
    if (progress === undefined || fresh.length > 0) heard.beginAt(start);
  }

  /** Takes one connection's events, in their order. */
  function taker(us: Us, ask: Patient, until: AbortSignal, fail: (error: unknown) => void) {
    const available = new AbortController();
    const placeOf = placesOf(wiring, async (id) => {
      const told = channels.find(id);
      if (told !== undefined) return told;
      const answer = await ask({ method: "GET", path: `/channels/${id}` });
      return answer.kind === "ok" ? (answer.body as RawChannel) : undefined;
    });

    async function rowsOf(name: string, data: unknown): Promise<Inbound[]> {
      const read = readers.get(name);
      if (read === undefined || typeof data !== "object" || data === null) return [];
      const { channel_id: channel, guild_id: guild } = data as RawMessage;
      const place = await placeOf(channel, guild);
      try {
        return place === undefined ? [] : [read(data, place, us, heard.newest()) ?? []].flat();
      } catch (error) {
        // It would be no better when it came again.
        at.log("discord-unreadable", `${name}: ${error instanceof Error ? error.message : "no reason"}`);
        return [];
      }
    }

    function settle(isResumed: boolean, isGuildToCome = false): void {
      if (isResumed && !heard.isBehind()) {
        heard.releaseAll();
        caughtUp(unread);
        return;
      }
      heard.fallBehind();
      const guild = isGuildToCome
        ? pause(at.pace.guildMs, AbortSignal.any([until, available.signal]))
        : Promise.resolve();
      fetching = guild.then(async () => catchUp(us, ask)).catch(fail);
    }

    return async ({ name, sequence, data }: Event): Promise<void> => {
      if (name === "READY") {
        const {
          session_id: id,
          resume_gateway_url: url,
          guilds = [],
        } = data as {
          session_id?: string;
          resume_gateway_url?: string;
          guilds?: { id?: string; unavailable?: boolean }[];
        };
        if (id === undefined || url === undefined) throw new Error("Discord names no session.");
        heard.follow({ id, url, sequence });
        // Until then nothing of it is told, and what is said meanwhile must be fetched after that.
        settle(
          false,
          guilds.some((guild) => guild.id === wiring.guild && guild.unavailable === true),
        );
        return;
      }
      if (name === "RESUMED") settle(true);
      if (name === "GUILD_CREATE" && (data as { id?: string }).id === wiring.guild) available.abort();
      channels.learn(name, data);
      us.roles = rolesTold(name, data, us, wiring) ?? us.roles;
      if (changesReach(name, data, us, wiring)) {
        if (heard.isBehind()) fetchAgain = true;
        else settle(false);
      }
      const rows = await rowsOf(name, data);
      if (rows.length > 0) {
        const [verdict] = heard.keep(rows, sequence);
        // Only now, when it is stored, is the person told; and a stranger is told nothing.
        if (name === "INTERACTION_CREATE" && verdict !== "refused") void acknowledge(data as RawInteraction);
      }
      heard.passed(sequence);
    };
  }

  /** Within 3 s, or Discord tells the person that it failed. */
  async function acknowledge({ id, token, type }: RawInteraction): Promise<void> {
    const body =
      type === 2 ? { type: 4, data: { content: "Heard. The answer follows here.", flags: 64 } } : { type: 6 };
    const path = `/interactions/${id}/${encodeURIComponent(token ?? "")}/callback`;
    const answer = await rest({ method: "POST", path, body }, AbortSignal.timeout(acknowledgeMs));
    if (answer.kind !== "ok") at.log("discord-acknowledge", answer.why);
  }

  return {
    begin,
    taker,
    session: () => heard.session(),
    forgetSession: () => heard.follow(undefined),
    flush: () => heard.flush(),
    /** Until nothing is being fetched. */
    idle: () => fetching,
  };
}

const readers = new Map<
  string,
  (data: object, place: Place, us: Us, newest: bigint) => Inbound | Inbound[] | undefined
>([
  ["MESSAGE_CREATE", (data, place, us) => messageOf(data, place, us)],
  ["MESSAGE_UPDATE", (data, place, us) => editOf(data, place, us)],
  ["MESSAGE_DELETE", (data, place, _, newest) => deletionOf(data, place, newest)],
  ["MESSAGE_DELETE_BULK", (data, place, _, newest) => deletionsOf(data, place, newest)],
  ["INTERACTION_CREATE", (data, place, us) => interactionOf(data, place, us)],
]);
