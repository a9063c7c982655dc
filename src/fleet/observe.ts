import type { Agent } from "../contract/agent.ts";
import type { AgentStatus, FleetState } from "../contract/state.ts";
import type { Answer } from "../harness/harness.ts";
import { harnessOf, supported } from "../harness/index.ts";
import { countWaiting } from "../mail/store.ts";
import { readRoster } from "../roster/cache.ts";
import type { LoadedRoster } from "../roster/load.ts";
import { beatPath, readBeat, type BeatReading } from "../status/beat.ts";
import { derive, type Derived, type Facts } from "../status/derive.ts";
import type { SupervisorKind, UnitView } from "../supervisor/supervisor.ts";
import { deskOf, launchedAs } from "./launch.ts";
import { changedFields } from "./plan.ts";
import { chooseSupervisor } from "./supervision.ts";
import type { World } from "./world.ts";

/** How long a harness may take to answer for its state; a healthy Pi needs about 1 ms. */
const answerMs = 500;

/** One agent as it is now: what the contract says of it, and the evidence behind. */
export interface Observed {
  agent: Agent;
  managed: boolean;
  unit: UnitView;
  facts: Facts;
  derived: Derived;
  status: AgentStatus;
}

/**
 * Looks at the fleet: roster, supervisor, beats, and every harness that can be asked. Starts no process. `only` looks at
 * one agent; without `asking` no harness is asked, for whoever wants to know who is there and not how they are.
 */
export async function observe(
  world: World,
  { only, asking = true }: { only?: string; asking?: boolean } = {},
): Promise<{ roster: LoadedRoster; agents: Observed[]; state: FleetState }> {
  const roster = await readRoster(world.home.roster, world.home.cache, world.home.user);
  const named = new Set(roster.agents.map((agent) => agent.name));
  const others = world.units.known().filter((name) => !named.has(name));
  const units = world.units.observe([...named, ...others]);
  // Whoever runs, or would be started again, is shown though the roster does not name it.
  const strays = others
    .filter((name) => units.get(name)?.process !== "none" || units.get(name)?.wanted === "up")
    .map((name) => ({ agent: launchedAs(world, name)?.agent ?? nameless(name), managed: false }));
  const every = [...roster.agents.map((agent) => ({ agent, managed: true })), ...strays];
  const all = only === undefined ? every : every.filter((one) => one.agent.name === only);
  const waiting = countWaiting(world.home.messages);
  const { kind } = chooseSupervisor(world, roster.supervisor);
  const agents = await Promise.all(
    all.map((one) =>
      observeOne(
        world,
        { roster, kind, asking, queue: waiting.get(one.agent.name) ?? 0 },
        units.get(one.agent.name) as UnitView,
        one,
      ),
    ),
  );
  return {
    roster,
    agents,
    state: {
      version: 1,
      fleet: roster.fleet,
      tenant: roster.tenant,
      host: world.host,
      at: new Date(world.now()).toISOString(),
      agents: agents.map((one) => one.status),
    },
  };
}

/** What can be said of an agent whose launch record is lost: its name, and that something of that name is there. */
const nameless = (name: string): Agent => ({
  name,
  role: "worker",
  runtime: "command",
  model: undefined,
  workdir: "/",
  prompt: undefined,
  command: undefined,
  args: [],
  env: {},
  secrets: [],
  permissions: "read",
  restart: "never",
  limits: undefined,
});

async function observeOne(
  world: World,
  { roster, kind, asking, queue }: { roster: LoadedRoster; kind: SupervisorKind; asking: boolean; queue: number },
  unit: UnitView,
  { agent, managed }: { agent: Agent; managed: boolean },
): Promise<Observed> {
  const launched = launchedAs(world, agent.name);
  // A running agent is what it was launched as, whatever the roster says meanwhile.
  const running = unit.process === "none" ? agent : (launched?.agent ?? agent);
  const answer = asking ? await askHarness(world, roster.fleet, running, unit) : undefined;
  const now = world.now();
  const beat = readBeat(beatPath(world.home.run, agent.name), now, world.beatIntervalS);
  const facts: Facts = { unit, beat, native: answer };
  const derived = derive(facts, now);
  const at = derived.decided.at;
  const status: AgentStatus = {
    name: agent.name,
    role: agent.role,
    runtime: running.runtime,
    model: (answer?.kind === "state" ? answer.model : undefined) ?? fresh(beat, unit)?.model ?? running.model ?? null,
    host: world.host,
    tenant: roster.tenant,
    managed,
    state: derived.state,
    why: derived.why ?? null,
    until: derived.until === undefined ? null : new Date(derived.until).toISOString(),
    evidence: {
      source: derived.decided.source,
      at: at === undefined ? null : new Date(at).toISOString(),
      age_ms: at === undefined ? null : Math.max(0, Math.round(now - at)),
    },
    heartbeat: heartbeatOf(beat, unit, answer),
    pid: unit.pid ?? null,
    session_id: (answer?.kind === "state" ? answer.session : undefined) ?? fresh(beat, unit)?.session ?? null,
    version:
      unit.process === "none"
        ? null
        : ((answer?.kind === "state" ? answer.version : undefined) ?? launched?.version ?? null),
    restarts: unit.restarts,
    queue,
    drift: driftOf(agent, managed, unit, launched?.agent, kind),
  };
  return { agent, managed, unit, facts, derived, status };
}

async function askHarness(world: World, fleet: string, agent: Agent, unit: UnitView): Promise<Answer | undefined> {
  if (agent.runtime === "command" || !supported.includes(agent.runtime)) return undefined;
  if (unit.process !== "alive") return { kind: "absent" };
  const harness = await harnessOf(agent.runtime);
  return harness.capabilities.nativeState ? harness.ask(deskOf(world, fleet, agent), answerMs) : undefined;
}

/** The beat, where it is this very process's. */
const fresh = (beat: BeatReading, unit: UnitView) => (beat.beat?.pid === unit.pid ? beat.beat : undefined);

/** A beat of a process that is gone, frozen or hung is stale at once: the file's age alone would call it healthy for a while. */
function heartbeatOf(beat: BeatReading, unit: UnitView, answer: Answer | undefined): AgentStatus["heartbeat"] {
  if (beat.health === "unknown") return { health: "unknown", ts: null, age_ms: null, pid: null, interval_ms: null };
  const refuted = unit.process !== "alive" || beat.beat.pid !== unit.pid || answer?.kind === "silent";
  return {
    health: refuted ? "stale" : beat.health,
    ts: beat.beat.ts,
    age_ms: Math.round(beat.ageMs),
    pid: beat.beat.pid,
    interval_ms: beat.beat.interval * 1_000,
  };
}

function driftOf(
  agent: Agent,
  managed: boolean,
  unit: UnitView,
  launched: Agent | undefined,
  kind: SupervisorKind,
): string[] {
  if (!managed) return ["not in the roster"];
  if (unit.process === "none")
    return unit.wanted === "up" ? [unit.quarantined ? "held after crashes" : "not running"] : [];
  if (launched === undefined) return ["not known how it was launched"];
  const fields = changedFields(agent, launched).map((field) => `${field} changed since its start`);
  return unit.by === kind ? fields : [...fields, `it is to move to ${kind}`];
}
