import { note, text } from "@clack/prompts";

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

/**
 * Asks for a token until one holds; where it is an id that the service does not know, for the ids, with what was answered
 * before. No answer is lost by a slip in another. Without a token nothing is tried. Ctrl-C ends it.
 */
export async function askUntilRight<T>(
  context: Context,
  asked: Wiring,
  told: AddOptions,
  {
    token: askToken,
    attempt,
  }: { token: (wiring: Wiring) => Promise<string>; attempt: (wiring: Wiring, token: string) => Promise<T> },
): Promise<{ wiring: Wiring; token?: string; result?: T }> {
  let wiring = asked;
  let token = await askToken(asked);
  while (token !== "") {
    try {
      return { wiring, token, result: await attempt(wiring, token) };
    } catch (error) {
      if (!(error instanceof FleetError)) throw error;
      context.err(`${error.message}\n`);
      if (error.code === "not-found") wiring = await askIds(wiring.platform, told, wiring);
      else token = await askToken(wiring);
    }
  }
  return { wiring };
}

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
