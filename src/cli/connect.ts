import { readFileSync } from "node:fs";

import { namePattern } from "../contract/agent.ts";
import type { Finding } from "../contract/command.ts";
import type { Platform, Wiring } from "../contract/connector.ts";
import { isToken } from "../fleet/credentials.ts";
import { FleetError, systemCode, wordSystemFault } from "../lib/errors.ts";
import { painter, table } from "../lib/text.ts";
import { connectNow, forPeople } from "./connected.ts";
import type { Context } from "./context.ts";
import { printJson } from "./print-json.ts";

export interface AddOptions {
  name?: string | undefined;
  guild?: string | undefined;
  channel?: readonly string[] | undefined;
  owner?: readonly string[] | undefined;
  user?: readonly string[] | undefined;
  agent?: string | undefined;
  url?: string | undefined;
  mention?: true | undefined;
  tokenFile?: string | undefined;
  tokenEnv?: string | undefined;
  json?: true | undefined;
}

/** `connect add`: the token is tried before anything is kept, and never printed. */
export async function add(context: Context, platform: Platform, options: AddOptions): Promise<number> {
  const connections = await forPeople(context);
  // Whatever is wrong already is said before anything is asked.
  await connections.mayAdd(wiringOf(platform, options));
  let changedAt = 0;
  const attempt = (wiring: Wiring, token: string): Promise<Finding[]> => {
    context.progress(`asking ${platform}…`);
    changedAt = Date.now();
    return connections.add(wiring, token);
  };
  const { wiring, findings } = await added();
  show(context, findings, options, { account: wiring.account });
  return connectNow(context, connections, wiring.account, { ...options, changedAt });

  async function added(): Promise<{ wiring: Wiring; findings: readonly Finding[] }> {
    const { tokenFile, tokenEnv, json } = options;
    const token = (of: Wiring) => readToken(context, of, options);
    if (!context.interactive || json || isTold(options)) {
      const told = wiringOf(platform, options);
      return { wiring: told, findings: await attempt(told, await token(told)) };
    }
    const { askWiring, askUntilRight } = await import("./ask-wiring.ts");
    const asked = await askWiring(platform, options);
    if (tokenFile !== undefined || tokenEnv !== undefined)
      return { wiring: asked, findings: await attempt(asked, await token(asked)) };
    const right = await askUntilRight(context, asked, options, { token, attempt });
    return { wiring: right.wiring, findings: right.result ?? [] };
  }
}

/** Whether a flag has told where an account listens, or to whom: then nothing of that is asked. */
export const isTold = ({ guild, channel, owner, user }: AddOptions): boolean =>
  [guild, channel, owner, user].some((one) => one !== undefined);

/** The answers as the roster will have them, checked as far as that is possible without asking anybody. */
export function wiringOf(platform: Platform, options: AddOptions): Wiring {
  const account = options.name ?? platform;
  if (!namePattern.test(account) || account === "console") {
    throw new FleetError("usage", `${JSON.stringify(account)} is not a name for an account.`, {
      hint: "a-z, 0-9 and -, beginning with a letter, as in --name discord",
    });
  }
  for (const id of [
    options.guild ?? "0",
    ...(options.channel ?? []),
    ...(options.owner ?? []),
    ...(options.user ?? []),
  ]) {
    if (platform === "discord" && !/^\d{1,20}$/.test(id)) {
      throw new FleetError("usage", `${JSON.stringify(id)} is not an id of Discord's: those are digits.`, {
        hint: "in Discord: settings, advanced, developer mode; then right-click and Copy ID",
      });
    }
  }
  if (platform === "discord" && (options.channel?.length ?? 0) > 0 && options.guild === undefined) {
    throw new FleetError("usage", "A channel needs the server it is in.", { hint: "--guild ID --channel ID" });
  }
  if (options.url !== undefined && !(URL.canParse(options.url) && /^https?:/i.test(options.url))) {
    throw new FleetError("usage", `${JSON.stringify(options.url)} is no address of a chat service.`, {
      hint: "--url https://… (leave it out for the platform's own)",
    });
  }
  return {
    account,
    platform,
    agent: options.agent,
    url: options.url,
    guild: options.guild,
    channels: options.channel ?? [],
    owners: options.owner ?? [],
    users: options.user ?? [],
    mention: options.mention ?? false,
  };
}

/** From a file, a variable, a pipe or a question without an echo; never from the command line, which everybody can read. */
export async function readToken(
  context: Context,
  { account, platform }: Pick<Wiring, "account" | "platform">,
  { tokenFile, tokenEnv }: Pick<AddOptions, "tokenFile" | "tokenEnv">,
): Promise<string> {
  const token = (await raw()).trim();
  if (isToken(token)) return token;
  if (token !== "") {
    throw new FleetError(
      "usage",
      `That is no token for ${account}: a token is one word, of plain letters, digits and signs.`,
      {
        hint: "copy it once more, and nothing else",
      },
    );
  }
  const from =
    tokenFile !== undefined ? `: ${tokenFile} is empty` : tokenEnv !== undefined ? `: ${tokenEnv} is not set` : "";
  throw new FleetError("usage", `There is no token for ${account}${from}.`, {
    hint: `--token-file FILE, --token-env VARIABLE, or type it where it is asked for`,
  });

  async function raw(): Promise<string> {
    if (tokenFile !== undefined) {
      try {
        return readFileSync(tokenFile, "utf8");
      } catch (error) {
        if (systemCode(error) === "ENOENT") throw new FleetError("not-found", `${tokenFile} does not exist.`);
        throw wordSystemFault(error, `read ${tokenFile}`);
      }
    }
    if (tokenEnv !== undefined) return context.variable(tokenEnv) ?? "";
    if (!context.interactive) {
      let text = "";
      for await (const part of context.stdin.setEncoding("utf8")) text += String(part);
      return text;
    }
    const { askSecret } = await import("./questions.ts");
    return askSecret(`The token of the ${platform} bot (it is not shown)`);
  }
}

/** `connect token`: another token for an account, or its first. */
export async function renew(context: Context, account: string, options: AddOptions): Promise<number> {
  const connections = await forPeople(context);
  const found = (await connections.list()).find((one) => one.account === account);
  const token = await readToken(context, found ?? { account, platform: "discord" }, options);
  const changedAt = Date.now();
  show(context, await connections.renew(account, token), options, { account });
  return connectNow(context, connections, account, { ...options, changedAt });
}

/** `connect list`. */
export async function list(context: Context, options: { json?: true | undefined }): Promise<number> {
  const connections = await (await forPeople(context)).list();
  if (options.json) {
    const asIso = (at: number | undefined) => (at === undefined ? null : new Date(at).toISOString());
    printJson(context, {
      version: 1,
      connections: connections.map(({ health, hasToken, ...one }) => ({
        ...one,
        token: hasToken,
        health: health && {
          state: health.state,
          since: asIso(health.since),
          alive_at: asIso(health.aliveAt),
          detail: health.detail ?? null,
        },
      })),
    });
    return 0;
  }
  if (connections.length === 0) {
    context.err(
      "No chat is connected but this machine's own: mosaic fleet chat\nNext: mosaic fleet connect add discord\n",
    );
    return 0;
  }
  const paint = painter(context.color);
  const silent = (await context.isDaemonUp())
    ? "the daemon does not say; see: mosaic fleet logs"
    : "the daemon is not up to say";
  const rows = connections.map((one) => [
    one.account,
    one.platform,
    one.health?.state ?? "unknown",
    one.agent ?? "(orchestrator)",
    String(one.channels.length),
    `${one.owners.length} and ${one.users.length}`,
  ]);
  context.out(
    table(
      [
        ["NAME", "PLATFORM", "STATE", "AGENT", "CHANNELS", "OWNERS AND USERS"].map((word) => paint("bold", word)),
        ...rows,
      ],
      context.columns,
    ),
  );
  // On lines of their own: in a narrow terminal the table would cut off what matters most.
  for (const { account, health, hasToken, owners, users } of connections) {
    const why = health === null ? silent : health.detail;
    if (why !== undefined) context.out(`${account}: ${why}\n`);
    if (!hasToken) context.err(`${account} has no token. Next: mosaic fleet connect token ${account}\n`);
    else if (health?.state === "needs-auth" || health?.state === "degraded")
      context.err(`Next: mosaic fleet connect test ${account}\n`);
    if (owners.length + users.length === 0)
      context.err(`Nobody is let in on ${account}. Next: mosaic fleet connect pair ${account}\n`);
  }
  return 0;
}

/** `connect test`. */
export async function test(context: Context, account: string, options: { json?: true | undefined }): Promise<number> {
  const connections = await forPeople(context);
  show(context, await connections.test(account), options, { account });
  return 0;
}

/** `connect remove`. */
export async function remove(context: Context, account: string): Promise<number> {
  await (await forPeople(context)).remove(account);
  context.err(`${account} is disconnected and its token deleted. What was said there is kept in the inbox.\n`);
  return 0;
}

function show(
  context: Context,
  findings: readonly Finding[],
  options: { json?: true | undefined },
  more: Record<string, unknown>,
): void {
  if (options.json) return printJson(context, { version: 1, ...more, findings });
  for (const one of findings)
    context.out(
      `${one.level === "good" ? "ok  " : one.level}  ${one.text}\n${one.next === undefined ? "" : `      Next: ${one.next}\n`}`,
    );
  return undefined;
}
