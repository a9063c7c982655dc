import { note, select, text } from "@clack/prompts";

import type { Platform, Wiring } from "../contract/connector.ts";
import { FleetError } from "../lib/errors.ts";
import { isTold, wiringOf, type AddOptions } from "./connect.ts";
import type { Context } from "./context.ts";
import { answered, complaint, output } from "./questions.ts";

/** Asks exactly what an account needs, where no flag has told anything of it. The token is asked for by itself. */
export async function askWiring(platform: Platform, told: AddOptions = {}): Promise<Wiring> {
  if (isTold(told)) return wiringOf(platform, told);
  note(
    "The bot: discord.com/developers/applications, with Message Content Intent on.\nDeveloper Mode (settings, advanced) lets you copy ids by a right click.\nStep by step: docs/connectors.md",
    "Discord",
    { output },
  );
  return askIds(platform, told);
}

/** One way to an account that works, and what is tried. */
interface Trying<T> {
  token: (wiring: Wiring) => Promise<string>;
  attempt: (wiring: Wiring, token: string) => Promise<T>;
  /** What it means to do without a token for now, where that may be. */
  without?: string;
}

/**
 * Asks for a token and tries it, until all is right: no answer is lost by a slip in another one, nor by a network that is
 * away. Without a token nothing is tried. Ctrl-C ends it.
 */
export async function askUntilRight<T>(
  context: Context,
  asked: Wiring,
  told: AddOptions,
  trying: Trying<T>,
): Promise<{ wiring: Wiring; token?: string; result?: T }> {
  let wiring = asked;
  let token = await trying.token(asked);
  while (token !== "") {
    try {
      return { wiring, token, result: await trying.attempt(wiring, token) };
    } catch (error) {
      if (!(error instanceof FleetError)) throw error;
      context.err(`${error.message}\n`);
      const next = error.code === "not-found" ? "ids" : await askNext(error, trying.without);
      if (next === "ids") wiring = await askIds(wiring.platform, told, wiring);
      else if (next === "token") token = await trying.token(wiring);
      else if (next === "without") break;
    }
  }
  return { wiring };
}

/** Only the person knows what was mended meanwhile: a right, a network, or nothing. */
const askNext = ({ code }: FleetError, without: string | undefined): Promise<"again" | "token" | "ids" | "without"> =>
  answered(
    select({
      message: "What now?",
      options: [
        { value: "token" as const, label: "another token" },
        { value: "again" as const, label: "the same again", hint: "I have mended that" },
        { value: "ids" as const, label: "other ids" },
        ...(without === undefined ? [] : [{ value: "without" as const, label: without }]),
      ],
      initialValue: code === "unreachable" ? ("again" as const) : ("token" as const),
      output,
    }),
  );

async function askIds(platform: Platform, told: AddOptions, before?: Wiring): Promise<Wiring> {
  const guild = await askId(
    "The server's id? (empty: direct messages only)",
    (value) => wiringOf(platform, { ...told, guild: value }),
    { before: before?.guild },
  );
  const channel =
    guild === undefined
      ? undefined
      : await askId("The channel's id?", (value) => wiringOf(platform, { ...told, guild, channel: [value] }), {
          isNeeded: true,
          before: before?.channels[0],
        });
  const owner = await askId(
    "Your own id there? Only you will be heard. (empty: later, by a code)",
    (value) => wiringOf(platform, { ...told, owner: [value] }),
    { before: before?.owners[0] },
  );
  return wiringOf(platform, {
    ...told,
    ...(guild !== undefined && { guild }),
    ...(channel !== undefined && { channel: [channel] }),
    ...(owner !== undefined && { owner: [owner] }),
  });
}

async function askId(
  message: string,
  check: (value: string) => unknown,
  { isNeeded = false, before }: { isNeeded?: boolean; before?: string | undefined } = {},
): Promise<string | undefined> {
  const validate = (value = "") => {
    if (value.trim() !== "") return complaint(() => check(value.trim()));
    return isNeeded ? "It is needed: right click, Copy ID, with Developer Mode on." : undefined;
  };
  const given = (await answered(
    text({ message, validate, output, ...(before !== undefined && { initialValue: before }) }),
  )) as string | undefined;
  return given?.trim() === "" ? undefined : given?.trim();
}
