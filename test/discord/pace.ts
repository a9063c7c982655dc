import type { Pace } from "../../src/connector/discord/account.ts";

/** Quick, so that what takes a minute at Discord takes a second here. */
export const quick: Pace = {
  beatMs: 60,
  deadMs: 2_000,
  guildMs: 200,
  requestMs: 2_000,
  baseMs: 20,
  capMs: 150,
  redialMs: 150,
  steadyMs: 60_000,
};
