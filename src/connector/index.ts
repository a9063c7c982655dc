import type { Platform } from "../contract/connector.ts";
import { FleetError } from "../lib/errors.ts";
import type { Open } from "./connector.ts";

/** Every adapter there is, loaded only when an account uses it. */
const adapters: Partial<Record<Platform, () => Promise<Open>>> = {
  discord: async () => (await import("./discord/discord.ts")).openDiscord,
};

/** What opens accounts of a platform. */
export async function connectorOf(platform: Platform): Promise<Open> {
  const load = adapters[platform];
  if (load === undefined) {
    throw new FleetError("conflict", `This version of mosaic has no connector for ${platform}.`);
  }
  return load();
}
