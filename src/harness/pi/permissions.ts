import { FleetError } from "../../lib/errors.ts";
import type { Desk, Permission } from "../harness.ts";
import { converse } from "./channel.ts";

/** How long Pi may take for either. Seen: 2 ms. */
const answerMs = 3_000;

/** What the agent waits to be allowed, oldest first. */
export async function permissions(desk: Desk): Promise<Permission[]> {
  const open = await converse(
    desk.place.inbox,
    { type: "permissions" },
    { withinMs: answerMs, take: (reply) => (reply.type === "permissions" ? reply.open : undefined) },
  );
  if (open === undefined || open === "silent") throw unreachable(desk);
  return open;
}

/** Allows it this once, or denies it; the dialog in the terminal closes. */
export async function answerPermission(desk: Desk, permission: string, decision: "allow" | "deny"): Promise<void> {
  const { agent, place } = desk;
  const taken = await converse(
    place.inbox,
    { type: "answer", id: permission, decision },
    {
      withinMs: answerMs,
      take: (reply) => (reply.type === "done" || reply.type === "refused" ? reply.type : undefined),
    },
  );
  if (taken === undefined || taken === "silent") throw unreachable(desk);
  if (taken === "done") return;
  throw new FleetError("conflict", `${agent.name} does not wait for that permission any more.`, {
    hint: `mosaic fleet explain ${agent.name}`,
  });
}

const unreachable = ({ agent }: Desk) =>
  new FleetError("unreachable", `${agent.name} does not answer.`, { hint: `mosaic fleet explain ${agent.name}` });
