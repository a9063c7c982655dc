import { randomUUID } from "node:crypto";
import { copyFileSync, realpathSync, statSync } from "node:fs";
import { basename, join } from "node:path";

import { openLedger } from "../chat/ledger.ts";
import { openOutbox } from "../chat/outbox.ts";
import { putReport } from "../chat/report.ts";
import type { Asker } from "../contract/command.ts";
import { isAgentToken } from "../fleet/credentials.ts";
import type { World } from "../fleet/world.ts";
import { FleetError, wordSystemFault } from "../lib/errors.ts";
import { makeFolder } from "../lib/folder.ts";
import { visible } from "../lib/text.ts";
import { openStore } from "../mail/store.ts";
import { readRoster } from "../roster/cache.ts";
import { consoleWiring } from "./talk.ts";

/** Texts are cut for the strictest platform that is not this machine's own. */
const shortest = 2_000;
const longest = 100_000;
/** One report is a few messages on every platform, and no night of them. */
const mostText = 10_000;
const mostBytes = 25 * 1024 * 1024;

/** What an agent tells the person in the chat; kept for good when it returns, and sent by the daemon. Works with it down. */
export async function report(
  world: World,
  by: Asker,
  said: { text: string; file: string | undefined },
): Promise<{ chats: number }> {
  const { home } = world;
  const roster = await readRoster(home.roster, home.cache, home.user);
  if (by.kind !== "agent") {
    throw new FleetError("usage", "A report is an agent's; you are the one it is for.", {
      hint: 'mosaic fleet chat "…"',
    });
  }
  const agent = roster.agents.find((one) => one.name === by.name);
  if (agent === undefined || !isAgentToken(home, by.name, by.token)) {
    throw new FleetError("conflict", `${by.name} may not do that: its token is not the one this fleet gave it.`);
  }
  if (said.text.trim() === "" && said.file === undefined)
    throw new FleetError("usage", "There is nothing to report.", { hint: 'mosaic fleet report "It is done: …"' });
  if (said.text.length > mostText) {
    throw new FleetError("usage", `The report has ${said.text.length} characters; ${mostText} is the most.`, {
      hint: 'put it into a file, and say what is in it: mosaic fleet report --file FILE "…"',
    });
  }
  const id = randomUUID();
  const file = said.file === undefined ? undefined : keepFile(world, id, said.file);
  const ledger = openLedger(home.chat);
  const mail = openStore(home.messages);
  try {
    const outbox = openOutbox(ledger, (account) => (account === consoleWiring.account ? longest : shortest));
    const wirings = [consoleWiring, ...roster.connectors];
    const parts = { ledger, outbox, mail, wirings, now: world.now() };
    const chats = putReport(parts, { id, agent, text: said.text, file });
    world.log({ agent: agent.name, event: "report", note: `${id} to ${chats} chats` });
    return { chats };
  } finally {
    mail.close();
    ledger.database.close();
  }
}

/** A copy, so that what is sent is what was meant. Nothing of the fleet's own folder leaves this way: secrets lie there. */
function keepFile({ home }: World, id: string, path: string): { path: string; name: string } {
  try {
    const real = realpathSync(path);
    const { size } = statSync(real);
    const refuse = (why: string) => new FleetError("conflict", `${path} is not sent: ${why}.`);
    if (!statSync(real).isFile()) throw refuse("it is not a file");
    if (`${real}/`.startsWith(`${realpathSync(home.fleet)}/`)) throw refuse("it belongs to the fleet itself");
    if (size > mostBytes) throw refuse(`it is larger than ${mostBytes / 1024 / 1024} MB`);
    const folder = join(home.files, "out", id);
    makeFolder(folder);
    const kept = join(folder, "file");
    copyFileSync(real, kept);
    return { path: kept, name: visible(basename(real)).replaceAll(/\s+/g, " ") };
  } catch (error) {
    throw wordSystemFault(error, `read ${path}`);
  }
}
