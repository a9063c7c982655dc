import type { Finding } from "../contract/command.ts";
import type { Connection, Connections, Health } from "../contract/connector.ts";
import { FleetError } from "../lib/errors.ts";
import { until } from "../lib/wait.ts";
import type { Context } from "./context.ts";

/** How long a connection may take until it is only said that it is under way. */
const connectsMs = 10_000;

/** Who is let in, and where, is the person's alone to say: no agent and no chat. */
export async function forPeople(context: Context): Promise<Connections> {
  if (context.by.kind === "person") return context.connections();
  throw new FleetError("conflict", "Chats are the person's to connect.", { hint: "ask the person who owns the fleet" });
}

/** An account that is kept is also connected: the daemon comes up where it is not, and how it went is said. */
export async function connectNow(
  context: Context,
  connections: Connections,
  account: string,
  { json, changedAt }: { json?: true | undefined; changedAt: number },
): Promise<number> {
  if (!json) context.err(`Kept as ${account}.\n`);
  const health = await healthOf(context, connections, account, changedAt);
  if (!json) context.err(`It is ${stateText(health)}\n`);
  return 0;
}

/** How an account's connection stands, as soon as that is known; the daemon is brought up for it. */
export async function healthOf(
  context: Context,
  connections: Connections,
  account: string,
  changedAt = 0,
): Promise<Pick<Health, "state" | "detail">> {
  context.progress(`connecting ${account}…`);
  await context.daemon();
  const look = async () => (await connections.list()).find((one) => one.account === account)?.health ?? undefined;
  const settled = await until(
    async () => {
      const health = await look();
      // What was so before the change says nothing of what comes of it.
      return health && health.since >= changedAt && !["connecting", "stopped"].includes(health.state)
        ? health
        : undefined;
    },
    { withinMs: connectsMs, everyMs: 100 },
  );
  return settled ?? (await look()) ?? { state: "connecting" };
}

/** The chats, as far as they are not as they should be, or are. */
export const judgeChats = (connections: readonly Connection[], isDaemonUp: boolean): Finding[] =>
  connections.flatMap((one) => {
    const { account, health, hasToken, owners, users } = one;
    const nobody: Finding[] =
      owners.length + users.length > 0
        ? []
        : [{ level: "note", text: `nobody is let in on ${account}`, next: `mosaic fleet connect pair ${account}` }];
    return [judgeChat(account, hasToken, isDaemonUp ? health : undefined), ...nobody];
  });

function judgeChat(account: string, hasToken: boolean, health: Health | null | undefined): Finding {
  if (!hasToken)
    return { level: "bad", text: `${account} has no token`, next: `mosaic fleet connect token ${account}` };
  if (health === undefined) return { level: "note", text: `${account}: nobody is there to say, the daemon is down` };
  const text = `${account} is ${stateText(health ?? { state: "connecting" }).replace(/\.$/, "")}`;
  if (health?.state === "up") return { level: "good", text };
  const next = `mosaic fleet connect test ${account}`;
  return { level: health === null || health.state === "connecting" ? "note" : "bad", text, next };
}

/** As a sentence; a detail is one already, or none. */
export const stateText = ({ state, detail }: Pick<Health, "state" | "detail">): string =>
  `${state}${detail === undefined ? "" : `: ${detail.replace(/\.$/, "")}`}.`;
