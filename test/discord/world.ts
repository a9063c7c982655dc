/** A Discord of our own: one server with its people and channels, and what is said there. No network in here. */

export interface User {
  id: string;
  username: string;
  global_name: string | null;
  bot: boolean;
}
export interface Channel {
  id: string;
  type: number;
  name: string;
  guild_id?: string;
  parent_id?: string;
  last_message_id: string | null;
  recipients?: User[];
  /** Of a thread: when it was archived. */
  archivedAt?: number;
  permission_overwrites: { id: string; type: number; allow: string; deny: string }[];
}
export interface Component {
  type: number;
  custom_id?: string;
  label?: string;
  style?: number;
  components?: Component[];
}
export interface Message {
  id: string;
  type: number;
  channel_id: string;
  author: User;
  content: string;
  timestamp: string;
  edited_timestamp: string | null;
  mentions: User[];
  mention_roles: string[];
  mention_everyone: boolean;
  attachments: { id: string; filename: string; content_type: string; size: number; url: string }[];
  embeds: unknown[];
  components: Component[];
  reactions: { emoji: { name: string }; count: number; me: boolean }[];
  nonce?: string;
  message_reference?: { message_id: string; channel_id: string; guild_id?: string };
  referenced_message?: Message | null;
}
/** Something a bot hears of. */
export type Emit = (name: string, data: Record<string, unknown>) => void;

export interface Saying {
  text: string;
  replyTo?: string | undefined;
  /** A reply that names nobody: the "ping" is switched off. */
  isQuiet?: boolean | undefined;
  /** It was said so long ago. */
  agoMs?: number | undefined;
  files?: readonly { name: string; content: string; mime?: string }[] | undefined;
}

const epoch = 1_420_070_400_000n;

export function createWorld(emit: Emit) {
  let lastId = 0n;
  /** Ids as Discord makes them: the time in ms, and a number that grows. */
  const newId = (): string => {
    const now = (BigInt(Date.now()) - epoch) << 22n;
    lastId = now > lastId ? now : lastId + 1n;
    return String(lastId);
  };
  const user = (username: string, bot = false): User => ({ id: newId(), username, global_name: null, bot });
  const guild = newId();
  const everyone = guild;
  const people = { owner: user("olga"), friend: user("fritz"), stranger: user("sven") };
  const bot = user("mos", true);
  const role = newId();
  const otherGuild = newId();
  const channels = new Map<string, Channel>();
  const messages = new Map<string, Message[]>();
  const contents = new Map<string, { content: Buffer; mime: string }>();
  const roles = [
    { id: everyone, name: "@everyone", permissions: String((1n << 10n) | (1n << 11n) | (1n << 16n)) },
    { id: role, name: "mos", permissions: String((1n << 6n) | (1n << 15n) | (1n << 38n)) },
  ];

  function addChannel(what: {
    name: string;
    type?: number;
    guild?: string | undefined;
    parent?: string;
    with?: User;
  }): Channel {
    const channel: Channel = {
      id: newId(),
      type: what.type ?? 0,
      name: what.name,
      last_message_id: null,
      permission_overwrites: [],
      ...(what.guild !== undefined && { guild_id: what.guild }),
      ...(what.parent !== undefined && { parent_id: what.parent }),
      ...(what.with !== undefined && { recipients: [what.with] }),
    };
    channels.set(channel.id, channel);
    messages.set(channel.id, []);
    return channel;
  }
  const general = addChannel({ name: "general", guild });
  const second = addChannel({ name: "second", guild });
  const unwired = addChannel({ name: "unwired", guild });
  const foreign = addChannel({ name: "foreign", guild: otherGuild });

  const channelOf = (id: string): Channel => {
    const found = channels.get(id);
    if (found === undefined) throw new Error(`the double has no channel ${id}`);
    return found;
  };
  const userOf = (id: string): User => {
    const found = [...Object.values(people), bot].find((one) => one.id === id);
    if (found === undefined) throw new Error(`the double has no user ${id}`);
    return found;
  };
  const messageOf = (channel: string, id: string) => messages.get(channel)?.find((one) => one.id === id);

  function directWith(id: string): Channel {
    const there = [...channels.values()].find((one) => one.type === 1 && one.recipients?.[0]?.id === id);
    return there ?? addChannel({ name: "", type: 1, with: userOf(id) });
  }

  /** Says something and lets the bot hear of it; the base is where attachments will be found. */
  /** An id of then, and yet newer than what the channel has. */
  function idOfThen(channelId: string, agoMs: number): string {
    const then = (BigInt(Date.now() - agoMs) - epoch) << 22n;
    const last = BigInt(messages.get(channelId)?.at(-1)?.id ?? "0");
    return String(then > last ? then : last + 1n);
  }

  function say(author: User, channelId: string, saying: Saying & Partial<Message>, base: string): Message {
    const channel = channelOf(channelId);
    const { text, replyTo, isQuiet = false, files = [], agoMs, ...rest } = saying;
    const referenced = replyTo === undefined ? undefined : messageOf(channelId, replyTo);
    const named = [...text.matchAll(/<@!?(\d+)>/g)].map(([, id]) => userOf(id ?? ""));
    const message: Message = {
      id: agoMs === undefined ? newId() : idOfThen(channelId, agoMs),
      type: referenced === undefined ? 0 : 19,
      channel_id: channelId,
      author,
      content: text,
      timestamp: new Date().toISOString(),
      edited_timestamp: null,
      mentions:
        referenced === undefined || isQuiet || named.includes(referenced.author)
          ? named
          : [...named, referenced.author],
      mention_roles: [...text.matchAll(/<@&(\d+)>/g)].map(([, id]) => id ?? ""),
      mention_everyone: false,
      attachments: files.map((file) => {
        const id = newId();
        const content = Buffer.from(file.content);
        const mime = file.mime ?? "text/plain";
        contents.set(`${id}/${file.name}`, { content, mime });
        return {
          id,
          filename: file.name,
          content_type: mime,
          size: content.length,
          url: `${base}/attachments/${id}/${encodeURIComponent(file.name)}`,
        };
      }),
      embeds: [],
      components: [],
      reactions: [],
      ...(replyTo !== undefined && {
        message_reference: { message_id: replyTo, channel_id: channelId },
        referenced_message: referenced ?? null,
      }),
      ...rest,
    };
    messages.get(channelId)?.push(message);
    channel.last_message_id = message.id;
    emit("MESSAGE_CREATE", heard(channel, message));
    return message;
  }

  /** As the gateway tells of it. */
  function heard(channel: Channel, data: object): Record<string, unknown> {
    return {
      ...data,
      ...(channel.guild_id !== undefined && { guild_id: channel.guild_id, member: { nick: null, roles: [] } }),
    };
  }

  function change(channelId: string, id: string, changes: Partial<Message>): Message {
    const message = messageOf(channelId, id);
    if (message === undefined) throw new Error(`the double has no message ${id}`);
    Object.assign(message, changes);
    emit("MESSAGE_UPDATE", heard(channelOf(channelId), message));
    return message;
  }

  /** Takes messages away, and tells of it. */
  function take(channelId: string, gone: readonly string[], name: string, which: Record<string, unknown>): void {
    const { guild_id } = channelOf(channelId);
    const left = (messages.get(channelId) ?? []).filter((one) => !gone.includes(one.id));
    messages.set(channelId, left);
    emit(name, { ...which, channel_id: channelId, ...(guild_id !== undefined && { guild_id }) });
  }
  const remove = (channelId: string, id: string) => take(channelId, [id], "MESSAGE_DELETE", { id });
  const purge = (channelId: string, ids: readonly string[]) => take(channelId, ids, "MESSAGE_DELETE_BULK", { ids });

  return {
    newId,
    guild,
    otherGuild,
    people,
    bot,
    role,
    roles,
    general,
    second,
    unwired,
    foreign,
    channels,
    messages,
    contents,
    addChannel,
    channelOf,
    userOf,
    messageOf,
    directWith,
    say,
    change,
    remove,
    purge,
    heard,
  };
}
export type World = ReturnType<typeof createWorld>;
