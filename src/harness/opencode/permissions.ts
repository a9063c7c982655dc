import { FleetError } from "../../lib/errors.ts";
import { until } from "../../lib/wait.ts";
import type { Desk, Permission } from "../harness.ts";
import type { Line } from "./channel.ts";
import { atServer } from "./server.ts";
import type { Asked } from "./session.ts";
import { aboutOf, openOnes } from "./state.ts";

/** How long OpenCode may take for either. Seen: 20 ms. */
const answerMs = 3_000;

/**
 * What the agent waits to be allowed, oldest first; its subagents' too.
 */
export const permissions = (desk: Desk): Promise<Permission[]> =>
  atServer(desk, answerMs, async (line) =>
    (await openPermissions(line)).map((asked) => permissionOf(asked, Date.now())).toSorted((a, b) => a.at - b.at),
  );

/**
 * Allows it this once, or denies it; the dialog in the terminal closes. A denial ends the turn, and denies whatever else
 * the same conversation waits for: OpenCode knows no other.
 */
export async function answer(desk: Desk, permission: string, decision: "allow" | "deny"): Promise<void> {
  const done = await atServer(desk, answerMs, async (line) => {
    const isOpen = async () => (await openPermissions(line)).some(({ id }) => id === permission);
    if (!(await isOpen())) return false;
    await line.post(`/permission/${permission}/reply`, { reply: decision === "allow" ? "once" : "reject" });
    return (await until(async () => ((await isOpen()) ? undefined : true), { withinMs: 1_000, everyMs: 10 })) ?? false;
  });
  if (done) return;
  throw new FleetError("conflict", `${desk.agent.name} does not wait for that permission any more.`, {
    hint: `mosaic fleet explain ${desk.agent.name}`,
  });
}

const openPermissions = async (line: Line): Promise<Asked[]> =>
  openOnes(await line.get("/session/status"), await line.get("/permission"));

/** OpenCode says of a request what it is about, and not since when; but its id has the time. */
export function permissionOf(asked: Asked, now: number): Permission {
  const what = asked.permission === "bash" ? aboutOf(asked) : `${asked.permission} ${aboutOf(asked)}`;
  return { id: asked.id, what, cwd: undefined, reason: undefined, at: madeAt(asked.id, now) ?? now };
}

/** When OpenCode made an id: it begins with the low 48 bits of ms × 4096, which come round every two years or so. */
export function madeAt(id: string, now: number): number | undefined {
  const hex = /^[a-z]+_([0-9a-f]{12})/.exec(id)?.[1];
  if (hex === undefined) return undefined;
  const round = 1n << 36n;
  const low = BigInt(`0x${hex}`) >> 12n;
  const high = BigInt(now) & ~(round - 1n);
  const at = high | low;
  return Number(at > BigInt(now) + round / 2n ? at - round : at);
}
