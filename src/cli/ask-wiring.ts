import { note, text } from "@clack/prompts";

import type { Platform, Wiring } from "../contract/connector.ts";
import { wiringOf, type AddOptions } from "./connect.ts";
import { answered, complaint, output } from "./questions.ts";

/** Asks exactly what an account needs, where no flag has told anything of it. The token is asked for by itself. */
export async function askWiring(platform: Platform, told: AddOptions = {}): Promise<Wiring> {
  if ([told.guild, told.channel, told.owner, told.user].some((one) => one !== undefined)) {
    return wiringOf(platform, told);
  }
  note(
    "The bot: discord.com/developers/applications, with Message Content Intent on.\nDeveloper Mode (settings, advanced) lets you copy ids by a right click.\nStep by step: docs/connectors.md",
    "Discord",
    { output },
  );
  const guild = await askId("The server's id? (empty: direct messages only)", (value) =>
    wiringOf(platform, { ...told, guild: value }),
  );
  const channel =
    guild === undefined
      ? undefined
      : await askId("The channel's id?", (value) => wiringOf(platform, { ...told, guild, channel: [value] }), {
          isNeeded: true,
        });
  const owner = await askId("Your own id there? Only you will be heard. (empty: later, by a code)", (value) =>
    wiringOf(platform, { ...told, owner: [value] }),
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
  { isNeeded = false } = {},
): Promise<string | undefined> {
  const validate = (value = "") =>
    value.trim() === "" && !isNeeded ? undefined : complaint(() => check(value.trim()));
  const given = (await answered(text({ message, validate, output }))) as string | undefined;
  return given?.trim() === "" ? undefined : given?.trim();
}
