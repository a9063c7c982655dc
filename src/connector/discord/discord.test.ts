import { readFileSync } from "node:fs";

import { test } from "vitest";

import { lacksOf, restRig } from "../../../test/discord/rest-rig.ts";
import type { Server } from "../../../test/discord/rest-rig.ts";
import { discordForTest, discordRig } from "../../../test/discord/rig.ts";
import { connectorSuite } from "../connector-suite.ts";

connectorSuite("discord", discordRig);

// The double again, spoken to as any server is: so that the way to others is walked each time.
connectorSuite(
  "discord, people over REST",
  async () => {
    const { ids } = await discordForTest();
    const owner = { id: ids.owner, token: ids.ownerToken };
    const stranger = { id: ids.stranger, token: ids.strangerToken };
    return restRig({ api: ids.api, token: ids.token, bot: ids.bot, guild: ids.guild, owner, stranger });
  },
  lacksOf({}),
);

// An independent server, brought by whoever has one: its address, and a file that says who is on it.
const api = process.env["MOSAIC_TEST_DISCORD_API"];
const file = process.env["MOSAIC_TEST_DISCORD_PEOPLE"];
if (api !== undefined && file !== undefined) {
  const server = { ...(JSON.parse(readFileSync(file, "utf8")) as Server), api };
  connectorSuite("discord, an independent server", () => restRig(server), lacksOf(server));
} else {
  test.skipIf(true)(
    "an independent server (SKIPPED: MOSAIC_TEST_DISCORD_API and MOSAIC_TEST_DISCORD_PEOPLE name none)",
    () => {},
  );
}
