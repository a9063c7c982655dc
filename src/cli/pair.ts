import type { Connections, Pairing } from "../contract/connector.ts";
import { stateText } from "../fleet/judge-chats.ts";
import { FleetError } from "../lib/errors.ts";
import { until } from "../lib/wait.ts";
import { forPeople, healthOf } from "./connected.ts";
import type { Context } from "./context.ts";
import { printJson } from "./print-json.ts";

/** `connect pair`: makes a code, waits for whoever sends it, and lets them in when the person here says so. */
export async function pair(
  context: Context,
  account: string,
  options: { as?: "owner" | "user" | undefined; yes?: true | undefined; timeout?: number | undefined },
): Promise<number> {
  const connections = await forPeople(context);
  const wiring = (await connections.list()).find((one) => one.account === account);
  const standing = options.as ?? (wiring?.owners.length === 0 ? "owner" : "user");
  const made = await connections.pair(account, standing);
  const health = await healthOf(context, connections, account);
  if (health.state !== "up") {
    context.err(`${account} is ${stateText(health)} Until it is up no code is heard.\n`);
  }
  context.out(`${made.code}\n`);
  context.err(
    `Whoever shall be let in as ${standing} writes this code to the bot in a direct message, within 10 minutes.\n`,
  );
  const claimed = await until(
    async () => {
      if (context.signal.aborted) return "cancelled" as const;
      return (await connections.pairings()).find((one) => one.code === made.code && one.claim !== undefined);
    },
    { withinMs: options.timeout ?? made.expiresAt - Date.now(), everyMs: 500 },
  );
  if (claimed === "cancelled") throw new FleetError("cancelled", `Cancelled; the code stays good for a while.`);
  if (claimed === undefined)
    throw new FleetError("unreachable", "Nobody has sent the code.", { hint: `mosaic fleet connect pair ${account}` });
  const who = `${claimed.claim?.name ?? ""} (id ${claimed.claim?.speaker ?? ""})`;
  if (!options.yes) {
    if (!context.interactive) {
      context.err(`${who} has sent it.\nNext: mosaic fleet connect pair approve ${made.code}\n`);
      return 0;
    }
    const { agreed } = await import("./questions.ts");
    if (!(await agreed(`${who} has sent the code. Let them in as ${standing}?`)))
      throw new FleetError("cancelled", "Nobody was let in.");
  }
  return letIn(context, connections, made.code);
}

/** `connect pair approve`. */
export const approve = async (context: Context, code: string): Promise<number> =>
  letIn(context, await forPeople(context), code);

async function letIn(context: Context, connections: Connections, code: string): Promise<number> {
  const { claim, standing, account } = await connections.approve(code);
  context.err(`${claim?.name ?? ""} (id ${claim?.speaker ?? ""}) is let in on ${account} as ${standing}.\n`);
  return 0;
}

/** `connect pair revoke`. */
export async function revoke(context: Context, account: string, speaker: string): Promise<number> {
  await (await forPeople(context)).revoke(account, speaker);
  context.err(`${speaker} is let out of ${account}.\n`);
  return 0;
}

/** `connect pair list`. */
export async function listPairings(context: Context, options: { json?: true | undefined }): Promise<number> {
  const open: Pairing[] = await (await forPeople(context)).pairings();
  if (options.json) {
    printJson(context, {
      version: 1,
      pairings: open.map(({ expiresAt, claim, ...one }) => ({
        ...one,
        expires_at: new Date(expiresAt).toISOString(),
        claim: claim ?? null,
      })),
    });
    return 0;
  }
  if (open.length === 0) context.err("No code waits.\n");
  for (const { code, account, standing, claim } of open)
    context.out(
      `${code}  ${account}  ${standing}  ${claim === undefined ? "nobody has sent it yet" : `sent by ${claim.name} (id ${claim.speaker})`}\n`,
    );
  return 0;
}
