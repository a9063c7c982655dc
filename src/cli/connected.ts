import type { Connections, Health } from "../contract/connector.ts";
import { stateText } from "../fleet/judge-chats.ts";
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
