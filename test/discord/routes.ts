import type { GatewayMood } from "./gateway.ts";
import type { Component, Message, User, World } from "./world.ts";

/** What a route answers; the body is JSON where there is one. */
export interface Reply {
  status: number;
  body?: unknown;
}
export interface Body {
  content?: string;
  nonce?: string;
  enforce_nonce?: boolean;
  components?: Component[];
  allowed_mentions?: { parse?: string[] };
  message_reference?: { message_id: string; fail_if_not_exists?: boolean };
  recipient_id?: string;
  name?: string;
  type?: number;
  data?: { content?: string; flags?: number };
  description?: string;
  options?: unknown[];
  files?: { name: string; content: string; mime?: string }[];
}
/** A press or a command, and what the bot answered to it. */
export interface Interaction {
  id: string;
  token: string;
  at: number;
  answered?: { type: number; afterMs: number; content?: string };
}

const refuse = (status: number, code: number, message: string): Reply => ({ status, body: { message, code } });
const view = 1n << 10n;
const send = 1n << 11n;
const maxFileBytes = 10 * 1024 * 1024;

export function createRoutes(world: () => World, mood: GatewayMood, url: () => { api: string; gateway: string }) {
  const interactions = new Map<string, Interaction>();
  const typings: string[] = [];
  /** What stands in the menu of slash commands. */
  const menu = new Map<string, { id: string; name: string; description: string }>();
  /** The messages that were sent with an enforced nonce. */
  const nonces = new Map<string, Message>();

  function rights(channelId: string): bigint {
    const { guild, bot, role, roles, channels } = world();
    let have = roles.reduce((sum, one) => sum | BigInt(one.permissions), 0n);
    for (const id of [guild, role, bot.id]) {
      for (const rule of channels.get(channelId)?.permission_overwrites ?? []) {
        if (rule.id === id) have = (have & ~BigInt(rule.deny)) | BigInt(rule.allow);
      }
    }
    return have;
  }

  function refusal(channelId: string, right: bigint): Reply | undefined {
    const channel = world().channels.get(channelId);
    if (channel === undefined) return refuse(404, 10003, "Unknown Channel");
    if (channel.guild_id === undefined) return undefined;
    if (mood.isExpelled) return refuse(403, 50001, "Missing Access");
    if (channel.guild_id !== world().guild) return mood.isOnBoth ? undefined : refuse(403, 50001, "Missing Access");
    const have = rights(channel.parent_id ?? channelId);
    if ((have & view) === 0n) return refuse(403, 50001, "Missing Access");
    return (have & right) === 0n ? refuse(403, 50013, "Missing Permissions") : undefined;
  }

  function formErrors(field: string, message: string): Reply {
    const errors = { [field]: { _errors: [{ code: "BASE_TYPE_BAD_LENGTH", message }] } };
    return { status: 400, body: { message: "Invalid Form Body", code: 50035, errors } };
  }

  function malformed(body: Body): Reply | undefined {
    if ((body.content ?? "").length > 2_000) return formErrors("content", "Must be 2000 or fewer in length.");
    if ((body.nonce ?? "").length > 25) return formErrors("nonce", "Must be 25 or fewer in length.");
    const rows = body.components ?? [];
    if (
      rows.length > 5 ||
      rows.some((row) => (row.components ?? []).length > 5 || (row.components ?? []).length === 0)
    ) {
      return formErrors("components", "Must be between 1 and 5 in length.");
    }
    if (rows.flatMap((row) => row.components ?? []).some((one) => (one.custom_id ?? "").length > 100)) {
      return formErrors("custom_id", "Must be 100 or fewer in length.");
    }
    const labels = rows.flatMap((row) => row.components ?? []).map((one) => one.label ?? "");
    if (labels.some((label) => label.trim() === "" || label.length > 80 || /\p{Surrogate}/u.test(label)))
      return formErrors("label", "Must be between 1 and 80 in length.");
    return (body.files ?? []).some((file) => file.content.length > maxFileBytes)
      ? refuse(413, 40005, "Request entity too large")
      : undefined;
  }

  function create(author: User, channelId: string, body: Body): Reply {
    const wrong = refusal(channelId, send) ?? malformed(body);
    if (wrong !== undefined) return wrong;
    if ((body.content ?? "") === "" && (body.files ?? []).length === 0)
      return refuse(400, 50006, "Cannot send an empty message");
    const key = body.enforce_nonce && body.nonce !== undefined ? body.nonce : undefined;
    const before = key === undefined ? undefined : nonces.get(key);
    if (before !== undefined) return { status: 200, body: before };
    const { say, messageOf } = world();
    const reference = body.message_reference;
    const isThere = reference !== undefined && messageOf(channelId, reference.message_id) !== undefined;
    if (reference !== undefined && !isThere && reference.fail_if_not_exists !== false) {
      return refuse(400, 50035, "Unknown message");
    }
    const message = say(
      author,
      channelId,
      {
        text: body.content ?? "",
        replyTo: isThere ? reference.message_id : undefined,
        files: body.files,
        components: body.components ?? [],
        ...(body.allowed_mentions?.parse?.length === 0 && { mentions: [] }),
        ...(body.nonce !== undefined && { nonce: body.nonce }),
      },
      url().api,
    );
    if (key !== undefined) nonces.set(key, message);
    return { status: 200, body: message };
  }

  function page(channelId: string, query: URLSearchParams): Reply {
    const wrong = refusal(channelId, view);
    if (wrong !== undefined) return wrong;
    const limit = Number(query.get("limit") ?? "50");
    if (!(limit >= 1 && limit <= 100)) return formErrors("limit", "int value should be between 1 and 100.");
    const all = world().messages.get(channelId) ?? [];
    const after = query.get("after");
    // As Discord does: those that follow it at once, and yet the newest of them first.
    const some =
      after === null ? all.slice(-limit) : all.filter((one) => BigInt(one.id) > BigInt(after)).slice(0, limit);
    return { status: 200, body: some.toReversed() };
  }

  function react(channelId: string, id: string, emoji: string): Reply {
    const message = world().messageOf(channelId, id);
    const wrong = refusal(channelId, 1n << 6n);
    if (wrong !== undefined) return wrong;
    if (message === undefined) return refuse(404, 10008, "Unknown Message");
    const there = message.reactions.find((one) => one.emoji.name === emoji);
    if (there === undefined) message.reactions.push({ emoji: { name: emoji }, count: 1, me: true });
    return { status: 204 };
  }

  function edit(author: User, channelId: string, id: string, body: Body): Reply {
    const { messageOf, change } = world();
    const message = messageOf(channelId, id);
    if (message === undefined) return refuse(404, 10008, "Unknown Message");
    if (message.author.id !== author.id) return refuse(403, 50005, "Cannot edit a message authored by another user");
    const wrong = malformed(body);
    if (wrong !== undefined) return wrong;
    return {
      status: 200,
      body: change(channelId, id, {
        edited_timestamp: new Date().toISOString(),
        ...(body.content !== undefined && { content: body.content }),
        ...(body.components !== undefined && { components: body.components }),
      }),
    };
  }

  function callback(id: string, token: string, body: Body): Reply {
    const found = interactions.get(id);
    const afterMs = Date.now() - (found?.at ?? 0);
    if (found === undefined || found.token !== token || afterMs > 3_000)
      return refuse(404, 10062, "Unknown interaction");
    if (found.answered !== undefined) return refuse(400, 40060, "Interaction has already been acknowledged.");
    found.answered = {
      type: body.type ?? 0,
      afterMs,
      ...(body.data?.content !== undefined && { content: body.data.content }),
    };
    return { status: 204 };
  }

  /** Of one server or, without one, of the bot everywhere; the same name replaces what had it. */
  function menuOf(method: string, guild: string | undefined, body: Body): Reply {
    if (!mood.menuAllowed || (guild !== undefined && guild !== world().guild))
      return refuse(403, 50001, "Missing Access");
    if (method === "GET") return { status: 200, body: [...menu.values()] };
    const { name = "", description = "", options = [] } = body;
    if (!/^[-_a-z0-9]{1,32}$/.test(name)) return formErrors("name", "Command name is invalid");
    if (description === "" || description.length > 100)
      return formErrors("description", "Must be between 1 and 100 in length.");
    const isNew = !menu.has(name);
    const command = { id: menu.get(name)?.id ?? world().newId(), name, description, options };
    menu.set(name, command);
    return { status: isNew ? 201 : 200, body: command };
  }

  function lookUp(id: string): Reply {
    return refusal(id, view) ?? { status: 200, body: world().channels.get(id) };
  }

  const threadsOf = (isArchived: boolean, chat?: string) =>
    [...world().channels.values()].filter(
      ({ type, parent_id, archivedAt }) =>
        type === 11 && (archivedAt !== undefined) === isArchived && (chat === undefined || chat === parent_id),
    );

  /** The last to be archived come first. */
  function archived(chat: string, query: URLSearchParams): Reply {
    const wrong = refusal(chat, view);
    if (wrong !== undefined) return wrong;
    const before = Date.parse(query.get("before") ?? "") || Infinity;
    const all = threadsOf(true, chat)
      .map((one) => ({ ...one, at: one.archivedAt ?? 0 }))
      .filter(({ at }) => at < before)
      .toSorted((one, other) => other.at - one.at)
      .map(({ at, ...one }) => ({ ...one, thread_metadata: { archive_timestamp: new Date(at).toISOString() } }));
    // Fewer a page than Discord gives.
    return { status: 200, body: { threads: all.slice(0, 2), members: [], has_more: all.length > 2 } };
  }

  /** One request of the API, below its version. */
  function route(who: User, method: string, path: string, query: URLSearchParams, body: Body): Reply {
    const { addChannel, bot, guild, role, roles, directWith } = world();
    const parts = path.split("/").slice(1).map(decodeURIComponent);
    const [room, id = "", what, third = "", fourth, fifth = ""] = parts;
    const key = `${method} ${[room, what, fourth].filter((one) => one !== undefined).join(" ")}`;
    if (key === "GET users" && id === "@me") return { status: 200, body: who };
    if (key === "GET gateway" && id === "bot") {
      const limit = {
        total: 1_000,
        remaining: mood.identifiesLeft,
        reset_after: mood.resetAfterMs,
        max_concurrency: 1,
      };
      return { status: 200, body: { url: url().gateway, shards: 1, session_start_limit: limit } };
    }
    if (key === "GET applications" && id === "@me") {
      return { status: 200, body: { id: bot.id, flags: mood.contentAllowed ? 1 << 19 : 0 } };
    }
    if (room === "applications" && id === bot.id && (what === "commands" || fourth === "commands")) {
      return menuOf(method, what === "guilds" ? third : undefined, body);
    }
    if (key === "POST users channels")
      return { status: 200, body: directWith(who === bot ? (body.recipient_id ?? "") : who.id) };
    if (room === "guilds") {
      if (id !== guild) return refuse(404, 10004, "Unknown Guild");
      if (key === "GET guilds") return { status: 200, body: { id: guild, name: "double", owner_id: "1", roles } };
      if (key === "POST guilds channels") return { status: 201, body: addChannel({ name: body.name ?? "", guild }) };
      if (key === "GET guilds members" && third === bot.id) return { status: 200, body: { user: bot, roles: [role] } };
      if (key === "GET guilds threads") {
        return { status: 200, body: { threads: threadsOf(false), members: [] } };
      }
    }
    if (key === "GET channels") return lookUp(id);
    if (key === "GET channels messages" && third === "") return page(id, query);
    if (key === "POST channels messages" && third === "") return create(who, id, body);
    if (key === "PATCH channels messages") return edit(who, id, third, body);
    if (key === "DELETE channels messages") {
      world().remove(id, third);
      return { status: 204 };
    }
    if (key === "GET channels threads public" && third === "archived") return archived(id, query);
    if (key === "POST channels threads") {
      return { status: 201, body: addChannel({ name: body.name ?? "", type: 11, guild, parent: id }) };
    }
    if (key === "PUT channels messages reactions") return react(id, third, fifth);
    if (key === "POST channels typing") {
      typings.push(id);
      return refusal(id, send) ?? { status: 204 };
    }
    if (method === "POST" && room === "interactions" && third === "callback") return callback(id, what ?? "", body);
    return refuse(404, 0, "404: Not Found");
  }

  return { route, interactions, typings, menu };
}
