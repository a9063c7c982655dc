import { createTwoFilesPatch } from "diff";

import type { Runtime } from "../contract/agent.ts";
import type { Platform, Wiring } from "../contract/connector.ts";
import type { Answers } from "../fleet/compose.ts";
import {
  checkName,
  checkWorkdir,
  commit,
  draft,
  lookAround,
  presetNamed,
  suggestName,
  type Draft,
  type Situation,
} from "../fleet/init.ts";
import { keepToken } from "../fleet/wire.ts";
import { FleetError } from "../lib/errors.ts";
import { painter, table } from "../lib/text.ts";
import { readToken, wiringOf } from "./connect.ts";
import type { Context } from "./context.ts";
import { printJson } from "./print-json.ts";

/** Every answer of the wizard, as a flag. */
export interface InitOptions {
  type?: string | undefined;
  name?: string | undefined;
  runtime?: Runtime | undefined;
  orchestratorRuntime?: Runtime | undefined;
  workdir?: string | undefined;
  supervisor?: "auto" | "systemd" | "builtin" | undefined;
  connector?: Exclude<Platform, "console"> | undefined;
  guild?: string | undefined;
  channel?: readonly string[] | undefined;
  owner?: readonly string[] | undefined;
  url?: string | undefined;
  tokenFile?: string | undefined;
  tokenEnv?: string | undefined;
  yes?: true | undefined;
  dryRun?: true | undefined;
  json?: true | undefined;
}

/** `init`: asks or is told, shows what would change, writes as a whole or not at all. */
export async function init(context: Context, options: InitOptions): Promise<number> {
  if (context.by.kind === "agent") {
    throw new FleetError("conflict", "An agent may not set up the fleet it belongs to.", {
      hint: "ask the person who owns the fleet",
    });
  }
  const asking = !options.yes && !options.dryRun && !options.json;
  if (asking && !context.interactive) {
    throw new FleetError("usage", "init asks questions, and this is no terminal.", {
      hint: "mosaic fleet init --type coding --yes",
    });
  }
  const situation = await lookAround(context.world);
  for (const error of situation.broken) context.err(`Left out: ${error.message}\n`);
  const told = checkOptions(context, situation, options);
  if (!asking)
    return finish(context, await draft(context.world, situation, withDefaults(context, situation, told)), options);
  const { ask, confirmWrite } = await import("./wizard.ts");
  const answers = await ask(context, situation, told);
  const draftWith = (connector: Wiring | undefined) => draft(context.world, situation, { ...answers, connector });
  const made = await draftWith(answers.connector);
  show(context, made);
  if (made.text !== made.before && !(await confirmWrite(made.path)))
    throw new FleetError("cancelled", "Nothing was written.");
  return finish(context, made, { ...options, draftWith });
}

function checkOptions(context: Context, situation: Situation, options: InitOptions): Answers {
  return {
    type: options.type === undefined ? undefined : presetNamed(situation, options.type),
    name: options.name === undefined ? undefined : checkName(options.name),
    workdir: options.workdir === undefined ? undefined : checkWorkdir(context.world, options.workdir, context.cwd),
    runtime: options.runtime,
    orchestratorRuntime: options.orchestratorRuntime,
    supervisor: options.supervisor,
    connector: connectorOf(options, situation.current?.roster.connectors ?? []),
  };
}

/** Of an account that is wired already only what was said changes. */
function connectorOf(options: InitOptions, wired: readonly Wiring[]): Wiring | undefined {
  const { connector, guild, channel, owner, url, tokenFile, tokenEnv } = options;
  if (connector !== undefined) {
    const before = wired.find((one) => one.account === connector);
    const told = wiringOf(connector, {
      guild: guild ?? before?.guild,
      channel: channel ?? before?.channels,
      owner: owner ?? before?.owners,
      url: url ?? before?.url,
    });
    return before === undefined
      ? told
      : { ...before, ...told, agent: before.agent, users: before.users, mention: before.mention };
  }
  if ([guild, channel, owner, url, tokenFile, tokenEnv].every((one) => one === undefined)) return undefined;
  throw new FleetError("usage", "For which chat service is that?", { hint: "--connector discord" });
}

/**
 * The token, where there is a way to it without a question; it is tried before anything is written. Unattended, nothing is
 * read from standard input, and an account without a token is told as what is left to do.
 */
async function tokenOf(
  context: Context,
  made: Draft,
  { draftWith, ...options }: FinishOptions,
): Promise<{ made: Draft; token?: string }> {
  const { tokenFile, tokenEnv } = options;
  const wiring = made.connector;
  if (wiring === undefined || options.dryRun) return { made };
  const isNamed = tokenFile !== undefined || tokenEnv !== undefined;
  if (isNamed) return { made, token: await tried(context, wiring, await readToken(context, wiring, options)) };
  if (draftWith === undefined || (made.before !== undefined && (await hasToken(context, wiring.account))))
    return { made };
  const { askSecret } = await import("./questions.ts");
  const { askUntilRight } = await import("./ask-wiring.ts");
  const right = await askUntilRight(
    context,
    wiring,
    { url: wiring.url },
    {
      token: () => askSecret(`The token of the ${wiring.platform} bot (not shown; empty: later)`),
      attempt: (asked, token) => tried(context, asked, token),
      without: "no token for now",
    },
  );
  if (right.token === undefined) return { made };
  return { made: right.wiring === wiring ? made : await draftWith(right.wiring), token: right.token };
}

/** A token that the service knows; what it has to say of the account is said. */
async function tried(context: Context, wiring: Wiring, token: string): Promise<string> {
  context.progress(`asking ${wiring.platform}…`);
  for (const finding of await (await context.connections()).check(wiring, token))
    context.err(`${finding.text}${finding.next === undefined ? "" : `. Next: ${finding.next}`}\n`);
  return token;
}

/** A first init needs a name and a folder; a later one changes only what was said. */
function withDefaults(context: Context, situation: Situation, told: Answers): Answers {
  if (situation.current !== undefined) return told;
  const workdir = told.workdir ?? checkWorkdir(context.world, context.cwd, context.cwd);
  return { ...told, workdir, name: told.name ?? suggestName(workdir) };
}

type FinishOptions = InitOptions & {
  /** Where questions are asked: what would be written with another account. It was shown already. */
  draftWith?: (connector: Wiring | undefined) => Promise<Draft>;
};

async function finish(context: Context, drafted: Draft, options: FinishOptions): Promise<number> {
  const { made, token } = await tokenOf(context, drafted, options);
  if (!options.json && options.draftWith === undefined) show(context, made);
  const changed = made.text !== made.before;
  if (!options.dryRun) await commit(context.world, made);
  if (token !== undefined && made.connector !== undefined) keepToken(context.world, made.connector.account, token);
  if (options.json) {
    const { fleet, preset, agents, warnings } = made.roster;
    const short = agents.map(({ name, role, runtime, workdir }) => ({ name, role, runtime, workdir }));
    printJson(context, {
      version: 1,
      path: made.path,
      changed,
      written: changed && !options.dryRun,
      fleet,
      type: preset ?? null,
      agents: short,
      missing: made.missing,
      warnings,
      diff: diffOf(made),
    });
    return 0;
  }
  if (
    made.connector !== undefined &&
    token === undefined &&
    !options.dryRun &&
    !(await hasToken(context, made.connector.account))
  )
    context.err(
      `${made.connector.account} has no token yet. Next: mosaic fleet connect token ${made.connector.account}\n`,
    );
  for (const one of made.missing) context.err(`${one.runtime} is not installed. Next: ${one.install}\n`);
  const isUntried = options.tokenFile !== undefined || options.tokenEnv !== undefined;
  if (options.dryRun)
    context.err(`Nothing was written${isUntried ? ", and the token was not tried" : ""} (--dry-run).\n`);
  else if (!changed) context.err("Nothing to change: the roster is as you asked.\n");
  else context.err(`Wrote ${made.path}\nNext: mosaic fleet ${made.before === undefined ? "start" : "apply"}\n`);
  return 0;
}

const hasToken = async (context: Context, account: string): Promise<boolean> =>
  (await (await context.connections()).list()).some((one) => one.account === account && one.hasToken);

function show(context: Context, made: Draft): void {
  const paint = painter(context.color);
  if (made.before === undefined) {
    const rows = made.roster.agents.map((agent) => [
      agent.name,
      agent.role,
      agent.runtime,
      agent.permissions,
      agent.workdir,
    ]);
    context.out(`${paint("bold", `Fleet ${made.roster.fleet}`)} (${made.roster.preset ?? "no preset"})\n`);
    context.out(table([["AGENT", "ROLE", "RUNTIME", "MAY", "WORKS IN"].map((word) => paint("bold", word)), ...rows]));
    if (made.connector !== undefined) context.err(`${wiringText(made.connector)}\n`);
    for (const one of made.fallbacks) {
      context.err(`${one.agent} gets ${one.got}: ${one.liked}, which its preset likes best, is not to be had here.\n`);
    }
    return;
  }
  for (const line of diffOf(made).split("\n").slice(4)) {
    const style = line.startsWith("+") ? "green" : line.startsWith("-") ? "red" : "dim";
    if (line !== "") context.out(`${paint(style, line)}\n`);
  }
}

/** Where the orchestrator will be reached, and by whom. */
function wiringText({ account, guild, channels, owners }: Wiring): string {
  const where =
    channels.length === 0
      ? "direct messages only"
      : `server ${guild ?? "?"}, ${channels.length === 1 ? "channel" : "channels"} ${channels.join(", ")}`;
  const who = owners.length === 0 ? "nobody is heard yet" : `heard: ${owners.join(", ")}`;
  return `Reached from ${account}: ${where}; ${who}.`;
}

const diffOf = (made: Draft): string =>
  made.text === made.before
    ? ""
    : createTwoFilesPatch(made.path, made.path, made.before ?? "", made.text, "now", "then");
