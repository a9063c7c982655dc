import { join } from "node:path";

import type { AgentState } from "../contract/state.ts";
import { harnessOf, supported } from "../harness/index.ts";
import { tryLock, withLock } from "../lib/lock.ts";
import { deliver, type Door, type Gate } from "../mail/deliver.ts";
import type { Store } from "../mail/store.ts";
import { asLaunched, deskOf } from "./launch.ts";
import { observe, type Observed } from "./observe.ts";
import type { World } from "./world.ts";

/** States in which a message is kept back on purpose, and what is said of it. What is not named here takes messages. */
const holding: Partial<Record<AgentState, string>> = {
  "waiting-permission": "a permission question is open",
  "waiting-input": "a question is open",
  limited: "its provider's limit is reached",
  "auth-failed": "it is not logged in at its provider",
  draining: "it is ending",
};

/**
 * Brings to an agent what waits for it. One deliverer at a time over all processes: undefined where another is at it,
 * who then sees whatever was accepted until now.
 */
export async function deliverTo(world: World, store: Store, name: string): Promise<true | undefined> {
  const lock = tryLock(join(world.home.locks, `${name}.delivery.lock`));
  if (lock === undefined) return undefined;
  try {
    const { roster, agents } = await observe(world, { only: name });
    const [one] = agents;
    if (one === undefined) giveUp(store, name, world.now());
    else await deliver(store, name, await doorOf(world, roster.fleet, one), world.now);
    return true;
  } finally {
    lock.release();
  }
}

/** Nobody of that name is in the roster, nor does anybody run: what waits for it is a dead letter. */
function giveUp(store: Store, name: string, now: number): void {
  for (const letter of store.open(name)) {
    const { deliveredAt } = letter;
    if (deliveredAt === undefined)
      store.move(letter.id, { state: "failed", reason: "there is no agent of that name any more", closed: true }, now);
    else store.move(letter.id, { reason: "the agent is gone", closed: true }, now);
  }
}

async function doorOf(world: World, fleet: string, one: Observed): Promise<Door> {
  const agent = asLaunched(world, one);
  if (!supported.includes(agent.runtime)) {
    const gate: Gate = {
      open: false,
      as: "queued",
      reason: `${agent.runtime} agents cannot run here`,
      process: undefined,
    };
    return {
      gate: async () => gate,
      submit: () => Promise.reject(),
      trace: async () => new Map(),
      interrupt: async () => {},
      goOn: async () => {},
      revived: undefined,
    };
  }
  const harness = await harnessOf(agent.runtime);
  const desk = deskOf(world, fleet, agent);
  return {
    gate: async () => gateOf(world, one),
    revived: one.unit.process === "alive" && one.unit.restarts > 0 ? processNameOf(one.unit) : undefined,
    submit: (message) => harness.submit(desk, message),
    trace: async (ids) => (await harness.trace?.(desk, ids)) ?? new Map(),
    interrupt: async () => void (await harness.interrupt(desk)),
    goOn: async () => harness.goOn?.(desk),
  };
}

const processNameOf = ({ pid, since }: Observed["unit"]): string | undefined =>
  pid === undefined ? undefined : `${pid}@${since}`;

/** Whether the agent can take a message, by the same evidence as `ps`. */
function gateOf(world: World, { agent, unit, derived, status, facts }: Observed): Gate {
  const process = processNameOf(unit);
  const shut = (as: "queued" | "held", reason: string): Gate => ({ open: false, as, reason, process });
  const { state } = derived;
  if (process === undefined) return shut("queued", `it is ${state}`);
  const why = holding[state];
  const takes = derived.decided.source === "native" && facts.native?.kind === "state" && facts.native.takes === true;
  if (why !== undefined && !takes && !mayHavePassed(world.now(), facts, derived))
    return shut("held", status.until === null ? why : `${why} until ${status.until}`);
  if (state === "starting" || state === "unknown") return shut("queued", `it is ${state}: ${derived.decided.note}`);
  if (isTakenOver(world, agent.name)) return shut("held", "a person has taken over its terminal");
  return { open: true, process };
}

/** How long a limit of unknown end is taken for one, before a message tries whether it still is. */
const limitMs = 60_000;

/**
 * A harness knows that it is limited or logged out from its last request, and learns that it is not any more only by
 * the next. So a message goes through where the limit has ended, and where the process is younger than what it knows.
 */
function mayHavePassed(
  now: number,
  { native, unit }: Observed["facts"],
  { state, until }: Observed["derived"],
): boolean {
  if (state !== "limited" && state !== "auth-failed") return false;
  // Codex tells its times in whole seconds.
  if (native?.kind === "state" && native.at + 1_000 < (unit.since ?? 0)) return true;
  if (state === "auth-failed") return false;
  return now >= (until ?? (native?.kind === "state" ? native.at : now) + limitMs);
}

const takeOverLock = (world: World, name: string): string => join(world.home.locks, `${name}.take-over.lock`);

/** Holds an agent's messages while a person works in its terminal; the kernel ends that with the process, however it ends. */
export const takingOver = <T>(world: World, name: string, work: () => Promise<T>): Promise<T> =>
  withLock(takeOverLock(world, name), { what: `the terminal of ${name}`, patienceMs: 1_000 }, work);

function isTakenOver(world: World, name: string): boolean {
  const lock = tryLock(takeOverLock(world, name));
  lock?.release();
  return lock === undefined;
}
