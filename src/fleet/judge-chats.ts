import type { Finding } from "../contract/command.ts";
import type { Connection, Health } from "../contract/connector.ts";

/** Whether people can be heard, by what is known of every account. */
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
