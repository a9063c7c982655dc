import type { Fault } from "./faults.ts";
import type { createGateway, GatewayMood } from "./gateway.ts";
import type { createRoutes } from "./routes.ts";
import type { Message, Saying, User, World } from "./world.ts";

/** A request that the bot made, for a test to count. */
export interface Asked {
  method: string;
  path: string;
  status: number;
}
/** By which a person speaks over REST, as a client of theirs would. */
export const tokenOf = (person: User): string => `person-${person.id}`;
export type Person = "owner" | "friend" | "stranger";

interface Parts {
  world: World;
  mood: GatewayMood;
  gateway: ReturnType<typeof createGateway>;
  routes: ReturnType<typeof createRoutes>;
  faults: Fault[];
  asked: Asked[];
  power: { up(): Promise<void>; down(): Promise<void>; freeze(): void; thaw(): void };
  base: () => string;
}

/**
 * What a test does to the double: what people do, and what goes wrong. All of it goes over HTTP as well, as
 * `POST /control/NAME` with a JSON array of arguments.
 */
export function createControls({ world, mood, gateway, routes, faults, asked, power, base }: Parts) {
  let archivedLast = 0;
  const idOf = (by: Person) => world.people[by].id;

  function interact(type: number, by: Person, channel: string, more: Record<string, unknown>): string {
    const interaction = { id: world.newId(), token: `interaction-${world.newId()}`, at: Date.now() };
    routes.interactions.set(interaction.id, interaction);
    const { guild_id } = world.channelOf(channel);
    const user = world.people[by];
    gateway.emit("INTERACTION_CREATE", {
      id: interaction.id,
      token: interaction.token,
      type,
      channel_id: channel,
      application_id: world.bot.id,
      version: 1,
      ...(guild_id === undefined ? { user } : { guild_id, member: { user, nick: null } }),
      ...more,
    });
    return interaction.id;
  }

  return {
    /** Everything a test must know to be wired to it. */
    ids: async () => ({
      token: mood.token,
      api: base(),
      guild: world.guild,
      otherGuild: world.otherGuild,
      bot: world.bot.id,
      role: world.role,
      general: world.general.id,
      second: world.second.id,
      unwired: world.unwired.id,
      foreign: world.foreign.id,
      owner: idOf("owner"),
      friend: idOf("friend"),
      stranger: idOf("stranger"),
      ownerToken: tokenOf(world.people.owner),
      strangerToken: tokenOf(world.people.stranger),
    }),

    post: async (by: Person, channel: string, saying: Saying): Promise<string> =>
      world.say(world.people[by], channel, saying, base()).id,
    /** What Discord itself writes: somebody joined, a message was pinned. */
    announce: async (by: Person, channel: string, type: number): Promise<string> =>
      world.say(world.people[by], channel, { text: "", type }, base()).id,
    edit: async (channel: string, id: string, text: string): Promise<void> =>
      void world.change(channel, id, { content: text, edited_timestamp: new Date().toISOString() }),
    /** A link's preview comes: the message changes, and nobody has edited it. */
    unfurl: async (channel: string, id: string): Promise<void> =>
      void world.change(channel, id, { embeds: [{ type: "link" }] }),
    remove: async (channel: string, id: string): Promise<void> => world.remove(channel, id),
    /** Takes many away at once, as a moderator does. */
    purge: async (channel: string, all: readonly string[]): Promise<void> => world.purge(channel, all),
    press: async (by: Person, channel: string, message: string, choice: string): Promise<string> =>
      interact(3, by, channel, {
        message: world.messageOf(channel, message),
        data: { custom_id: choice, component_type: 2 },
      }),
    command: async (by: Person, channel: string, name: string, values: readonly unknown[]): Promise<string> =>
      interact(2, by, channel, {
        data: { id: "1", name, type: 1, options: values.map((value, at) => ({ name: `option${at}`, type: 3, value })) },
      }),
    thread: async (channel: string): Promise<string> =>
      world.addChannel({ name: "thread", type: 11, guild: world.channelOf(channel).guild_id, parent: channel }).id,
    /** Nobody has written in it for as long as it takes. */
    archive: async (thread: string): Promise<void> => {
      archivedLast = Math.max(Date.now(), archivedLast + 1);
      world.channelOf(thread).archivedAt = archivedLast;
    },
    /** Lets the bot out of the server, or in again. */
    expel: async (isOut = true): Promise<void> => {
      mood.isExpelled = isOut;
      if (isOut) gateway.emit("GUILD_DELETE", { id: world.guild });
      else gateway.emit("GUILD_CREATE", { id: world.guild, name: "double", roles: world.roles, threads: [] });
    },
    dissolve: async (channel: string): Promise<void> => {
      const gone = world.channelOf(channel);
      world.channels.delete(channel);
      gateway.emit("CHANNEL_DELETE", { ...gone });
    },
    /** Gives the bot these roles instead of those that it had. */
    promote: async (roles: readonly string[]): Promise<void> =>
      gateway.emit("GUILD_MEMBER_UPDATE", { guild_id: world.guild, user: world.bot, roles }),
    direct: async (by: Person): Promise<string> => world.directWith(idOf(by)).id,
    shown: async (channel: string): Promise<Message[]> => world.messages.get(channel) ?? [],
    typings: async (): Promise<string[]> => routes.typings,
    rename: async (name: string, description: string): Promise<void> => {
      const command = routes.menu.get(name);
      if (command !== undefined) command.description = description;
    },
    menu: async () => [...routes.menu.values()],
    interaction: async (id: string) => routes.interactions.get(id),

    fault: async (fault: Fault): Promise<void> => void faults.push({ ...fault }),
    mend: async (): Promise<void> => void faults.splice(0),
    /** Changes how the gateway behaves from now on. */
    behave: async (changes: Partial<GatewayMood>): Promise<void> => void Object.assign(mood, changes),
    drop: async (code?: number): Promise<void> => gateway.drop(code),
    /** Forgets every session, so that none can be resumed. */
    forget: async (): Promise<void> => gateway.forget(),
    freeze: async (): Promise<void> => power.freeze(),
    thaw: async (): Promise<void> => power.thaw(),
    down: async (): Promise<void> => power.down(),
    up: async (): Promise<void> => power.up(),
    /** Down, and up again after so many ms: for whoever can only reach it over HTTP. */
    restart: async (downMs: number): Promise<void> => {
      setImmediate(() => void power.down().then(() => setTimeout(() => void power.up(), downMs)));
    },
    /** The token is refused from now on, everywhere. */
    revoke: async (): Promise<void> => {
      mood.token = `${mood.token}-another`;
      gateway.drop(4004);
    },
    deny: async (channel: string, rights: string): Promise<void> => {
      const changed = world.channelOf(channel);
      changed.permission_overwrites.push({ id: world.guild, type: 0, allow: "0", deny: rights });
      gateway.emit("CHANNEL_UPDATE", { ...changed });
    },
    counts: async () => ({ ...gateway.counts }),
    asked: async (): Promise<Asked[]> => asked,
  };
}
export type DiscordControls = ReturnType<typeof createControls>;
