import type { Inbound, Speaker } from "../connector.ts";

/** Discord's own shapes, as far as they are read. Anything may be missing: an event that cannot be read is left out. */
interface RawUser {
  id?: string;
  username?: string;
  global_name?: string | null;
  bot?: boolean;
}
export interface RawMessage {
  id?: string;
  channel_id?: string;
  guild_id?: string;
  type?: number;
  content?: string;
  author?: RawUser;
  member?: { nick?: string | null };
  webhook_id?: string;
  edited_timestamp?: string | null;
  mentions?: RawUser[];
  mention_roles?: string[];
  message_reference?: { message_id?: string; type?: number };
  referenced_message?: { author?: RawUser } | null;
  attachments?: { filename?: string; content_type?: string; size?: number; url?: string }[];
}
export interface RawInteraction {
  id?: string;
  token?: string;
  type?: number;
  channel_id?: string;
  guild_id?: string;
  user?: RawUser;
  member?: { nick?: string | null; user?: RawUser };
  message?: { id?: string };
  data?: { name?: string; custom_id?: string; options?: RawOption[] };
}
interface RawOption {
  name?: string;
  value?: unknown;
  options?: RawOption[];
}

/** Where something was said. */
export interface Place {
  chat: string;
  thread?: string | undefined;
  isDirect: boolean;
}
/** Who we are there. */
export interface Us {
  id: string;
  name: string;
  roles: readonly string[];
}

const epoch = 1_420_070_400_000;

/** Whether it is an id of Discord's: a number that begins with the time at which it was made. */
export const isSnowflake = (id: unknown): id is string => typeof id === "string" && /^\d{1,19}$/.test(id);
export const timeOf = (id: bigint): number => Number(id >> 22n) + epoch;
export const snowflakeAt = (ms: number): bigint => BigInt(Math.max(0, Math.floor(ms) - epoch)) << 22n;

/** A message that somebody wrote; undefined for what Discord itself writes into a channel (joins, pins, new threads). */
export function messageOf(raw: RawMessage, place: Place, us: Us): Inbound | undefined {
  const { id, author, message_reference: reference } = raw;
  if (!isSnowflake(id) || !isSnowflake(author?.id) || ![0, 19].includes(raw.type ?? 0)) return undefined;
  const order = BigInt(id);
  const names = new RegExp(`^\\s*(?:<@!?${us.id}>${us.roles.map((role) => `|<@&${role}>`).join("")})[\\s,:]*`);
  const text = raw.content ?? "";
  return {
    ...place,
    id,
    order,
    at: timeOf(order),
    kind: "message",
    speaker: speakerOf(author, us, raw.member?.nick, raw.webhook_id !== undefined),
    isToUs:
      raw.mentions?.some((user) => user.id === us.id) === true ||
      raw.mention_roles?.some((role) => us.roles.includes(role)) === true ||
      raw.referenced_message?.author?.id === us.id,
    text: text.replace(names, ""),
    // A forwarded message refers to what it forwards, and is no reply.
    replyTo: reference?.type === 1 ? undefined : reference?.message_id,
    files: (raw.attachments ?? []).flatMap((file) =>
      file.url === undefined
        ? []
        : [
            {
              name: file.filename ?? "file",
              mime: file.content_type ?? "application/octet-stream",
              bytes: file.size ?? 0,
              url: file.url,
            },
          ],
    ),
  };
}

/** Somebody changed a message; undefined where only Discord did (a link's preview came). */
export function editOf(raw: RawMessage, place: Place, us: Us): Inbound | undefined {
  const edited = Date.parse(raw.edited_timestamp ?? "");
  const message = messageOf(raw, place, us);
  if (message === undefined || !Number.isFinite(edited)) return undefined;
  // Ordered by when it was edited: by its message it would be older than what was said since.
  const order = snowflakeAt(edited) > message.order ? snowflakeAt(edited) : message.order;
  return { ...message, kind: "edit", revision: raw.edited_timestamp ?? "", order, at: edited };
}

/** A message that is gone. Discord says neither who wrote it nor when it went; `newest` is the order of the newest thing heard. */
export function deletionOf(raw: RawMessage, place: Place, newest: bigint): Inbound | undefined {
  if (!isSnowflake(raw.id)) return undefined;
  const order = BigInt(raw.id) > newest ? BigInt(raw.id) : newest;
  const speaker = { id: "", name: "", isBot: false, isSelf: false };
  return {
    ...place,
    id: raw.id,
    order,
    at: timeOf(order),
    kind: "delete",
    speaker,
    isToUs: false,
    text: "",
    files: [],
  };
}

/** Many at once, as when a moderator cleans up. */
export const deletionsOf = (raw: { ids?: string[] }, place: Place, newest: bigint): Inbound[] =>
  (raw.ids ?? []).flatMap((id) => deletionOf({ id }, place, newest) ?? []);

/** A pressed button, or a slash command, which is text like any other. */
export function interactionOf(raw: RawInteraction, place: Place, us: Us): Inbound | undefined {
  const user = raw.member?.user ?? raw.user;
  if (!isSnowflake(raw.id) || !isSnowflake(user?.id)) return undefined;
  const order = BigInt(raw.id);
  const said = {
    ...place,
    order,
    at: timeOf(order),
    speaker: speakerOf(user, us, raw.member?.nick),
    isToUs: true,
    files: [],
  };
  if (raw.type === 2) {
    return {
      ...said,
      id: raw.id,
      kind: "word",
      text: [`/${raw.data?.name ?? ""}`, ...wordsOf(raw.data?.options)].join(" "),
    };
  }
  const message = raw.message?.id;
  const choice = raw.data?.custom_id;
  if (raw.type !== 3 || !isSnowflake(message) || choice === undefined) return undefined;
  return { ...said, id: message, revision: raw.id, kind: "press", text: "", choice };
}

/** What was typed behind a slash command, subcommands by their names. */
function wordsOf(options: readonly RawOption[] = []): string[] {
  return options.flatMap((option) =>
    option.value === undefined
      ? [option.name ?? "", ...wordsOf(option.options)]
      : [typeof option.value === "string" ? option.value : JSON.stringify(option.value)],
  );
}

function speakerOf(user: RawUser, us: Us, nick?: string | null, isWebhook = false): Speaker {
  return {
    id: user.id ?? "",
    name: nick ?? user.global_name ?? user.username ?? "",
    isBot: user.bot === true || isWebhook,
    isSelf: user.id === us.id,
  };
}
