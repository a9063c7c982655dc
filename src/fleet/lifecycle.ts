import type { Agent } from "../contract/agent.ts";
import type { AgentOutcome, Change } from "../contract/command.ts";
import { harnessOf, supported } from "../harness/index.ts";
import { FleetError } from "../lib/errors.ts";
import { until } from "../lib/wait.ts";
import { readRoster } from "../roster/cache.ts";
import type { SupervisorKind } from "../supervisor/supervisor.ts";
import { asLaunched, deskOf, launchedAs, prepare } from "./launch.ts";
import { namedAgent } from "./names.ts";
import { observe, type Observed } from "./observe.ts";
import { planOf } from "./plan-of.ts";
import type { World } from "./world.ts";

/** How long an agent may take from its process to its first own word. OpenCode needs 5 s here; a loaded machine more. */
const readyMs = 60_000;
/** How long an agent may take to save when it is asked to end. */
const graceMs = 10_000;
/** A program that cannot be asked counts as started once it has lived through this. */
const firstMomentMs = 300;
/** Two cores start this many harnesses about as fast as all at once, without starving those that run. */
const atOnce = 4;

/** Hears of progress. */
export type Tell = (line: string) => void;

/** Starting, stopping, restarting and applying: each of many agents, in the right order, waiting for the truth. */
export function lifecycle(world: World, kind: SupervisorKind, ensureDaemon: (kind: SupervisorKind) => Promise<void>) {
  return { start, stop, restart, apply };

  async function restart(fleet: string, agents: readonly Observed[], tell: Tell): Promise<AgentOutcome[]> {
    await checkAll(fleet, agents);
    await stop(fleet, agents, tell);
    return (await start(fleet, agents, tell)).map((one) => asRestart(one, agents));
  }

  async function apply(fleet: string, agents: Observed[], tell: Tell): Promise<AgentOutcome[]> {
    const changes = planOf(world, kind, agents);
    const of = (what: Change["kind"]) =>
      changes.filter((change) => change.kind === what).map((change) => namedAgent(agents, change.agent));
    const [starts, restarts] = [of("start"), of("restart")];
    await checkAll(fleet, [...starts, ...restarts]);
    const stopped = await stop(fleet, of("stop"), tell);
    await stop(fleet, restarts, tell);
    const started = await start(fleet, [...starts, ...restarts], tell);
    return [...stopped, ...started.map((one) => asRestart(one, restarts))];
  }

  /** Everything that can be known to fail is known before anything is changed. */
  async function checkAll(fleet: string, agents: readonly Observed[]): Promise<void> {
    for (const one of agents) await prepare(world, fleet, one.agent);
  }

  /** The daemon comes first: whoever fails to start, the others are watched. One that fails does not hide the rest. */
  async function start(fleet: string, agents: readonly Observed[], tell: Tell): Promise<AgentOutcome[]> {
    await checkAll(
      fleet,
      agents.filter((one) => one.unit.process === "none"),
    );
    await ensureDaemon(kind);
    const first = agents.toSorted(
      (a, b) => Number(b.agent.role === "orchestrator") - Number(a.agent.role === "orchestrator"),
    );
    return inGroups(first, async (one): Promise<AgentOutcome> => {
      const { name } = one.agent;
      if (one.unit.process === "none") tell(`starting ${name}`);
      try {
        const did = await world.supervisors[kind].start(name);
        if (did === "already") return { agent: name, did: "nothing", note: "it runs already" };
        return { agent: name, did: "started", note: await ready(name) };
      } catch (error) {
        if (!(error instanceof FleetError)) throw error;
        return { agent: name, did: "failed", note: error.message, hint: error.hint ?? `mosaic fleet explain ${name}` };
      }
    });
  }

  /** Waits for the harness's own sign; a process alone is not ready. Throws where it ends instead. */
  async function ready(name: string): Promise<string> {
    const began = world.now();
    const settled = await until(
      async () => {
        const [one] = (await observe(world, { only: name })).agents;
        if (one === undefined || one.derived.state === "starting" || one.derived.state === "unknown") return undefined;
        const young = one.unit.since !== undefined && world.now() - one.unit.since < firstMomentMs;
        return one.derived.state === "running" && young ? undefined : one;
      },
      { withinMs: readyMs, everyMs: 50 },
    );
    if (settled === undefined) {
      throw new FleetError("unreachable", `it says nothing of itself after ${readyMs / 1_000} s`, {
        hint: `mosaic fleet attach ${name}`,
      });
    }
    const { state } = settled.derived;
    // The daemon may have brought it back already; that it ended is what matters here.
    if (state === "dead" || state === "stopped" || settled.unit.restarts > 0) {
      const why = state === "dead" ? await lastWord(name) : "and was started again";
      throw new FleetError("unreachable", `it ended right after its start: ${why}`, {
        hint: `mosaic fleet explain ${name}`,
      });
    }
    return `${state} after ${((world.now() - began) / 1_000).toFixed(1)} s`;
  }

  /** Its exit code is said a moment after its end: the last screen is kept first. */
  async function lastWord(name: string): Promise<string> {
    const look = async () => (await observe(world, { only: name })).agents[0];
    const said = await until(async () => ((one) => (one?.unit.exit ? one : undefined))(await look()), {
      withinMs: 2_000,
    });
    return (said ?? (await look()))?.derived.decided.note ?? "no process";
  }

  async function stop(fleet: string, agents: readonly Observed[], tell: Tell): Promise<AgentOutcome[]> {
    const last = agents.toSorted(
      (a, b) => Number(a.agent.role === "orchestrator") - Number(b.agent.role === "orchestrator"),
    );
    return inGroups(last, async (one): Promise<AgentOutcome> => {
      const { name } = one.agent;
      if (one.unit.process !== "none") tell(`stopping ${name}`);
      const agent = asLaunched(world, one);
      // Whoever started it stops it, whatever the roster says meanwhile.
      const did = await world.supervisors[one.unit.by ?? kind].stop(name, asking(world, fleet, agent));
      if (supported.includes(agent.runtime)) (await harnessOf(agent.runtime)).tidy?.(deskOf(world, fleet, agent));
      return did === "already"
        ? { agent: name, did: "nothing", note: "it was stopped already" }
        : { agent: name, did: "stopped", note: exitNote(name) };
    });
  }

  function exitNote(name: string): string {
    const exit = world.units.observe([name]).get(name)?.exit;
    return exit === undefined ? "it left no exit code" : `exit code ${exit.code}`;
  }
}

/** How an agent is asked to save and end, and how long it may take. */
function asking(world: World, fleet: string, agent: Agent): { ask: () => Promise<void>; graceMs: number } {
  const ask = async () => {
    const { pid } = world.units.observe([agent.name]).get(agent.name) ?? {};
    if (pid !== undefined) await (await harnessOf(agent.runtime)).end(deskOf(world, fleet, agent), pid);
  };
  return { ask, graceMs };
}

/** The same for whoever only knows its name; of an agent whose launch is not known nothing can be asked. */
export async function endOf(world: World, name: string): Promise<{ ask: () => Promise<void>; graceMs: number }> {
  const agent = launchedAs(world, name)?.agent;
  if (agent === undefined || !supported.includes(agent.runtime)) return { ask: async () => {}, graceMs: 0 };
  const roster = await readRoster(world.home.roster, world.home.cache, world.home.user).catch(() => undefined);
  return asking(world, roster?.fleet ?? "", agent);
}

/** Says of an agent that was stopped for it that it was restarted. */
function asRestart(one: AgentOutcome, restarted: readonly Observed[]): AgentOutcome {
  const was = restarted.some((each) => each.agent.name === one.agent);
  return one.did === "started" && was ? { ...one, did: "restarted" } : one;
}

async function inGroups<T, R>(all: readonly T[], work: (one: T) => Promise<R>): Promise<R[]> {
  const results: R[] = [];
  const queue = all.entries();
  await Promise.all(
    Array.from({ length: atOnce }, async () => {
      for (const [at, one] of queue) results[at] = await work(one);
    }),
  );
  return results;
}
