import type { Agent } from "../contract/agent.ts";
import type { AgentOutcome, Change, Command, FleetControl, Outcome } from "../contract/command.ts";
import { harnessOf } from "../harness/index.ts";
import { FleetError } from "../lib/errors.ts";
import { pause, until } from "../lib/wait.ts";
import { isAgentToken } from "./credentials.ts";
import { frame } from "./frame.ts";
import { deskOf, launchedAs, prepare } from "./launch.ts";
import { namedAgent } from "./names.ts";
import { observe, type Observed } from "./observe.ts";
import { plan } from "./plan.ts";
import { judge } from "./policy.ts";
import type { World } from "./world.ts";

/** How long an agent may take from its process to its first own word. OpenCode needs 5 s here; a loaded machine more. */
const readyMs = 60_000;
/** How long an agent may take to save when it is asked to end. */
const graceMs = 10_000;
/** A program that cannot be asked counts as started once it has lived through this. */
const firstMomentMs = 300;
/** Two cores start this many harnesses about as fast as all at once, without starving those that run. */
const atOnce = 4;

type Tell = (line: string) => void;

/** The fleet, commanded in this very process. Works with the daemon up or down. */
export function inProcess(world: World, parts: { ensureDaemon: () => Promise<void> }): FleetControl {
  return {
    state: async () => (await observe(world)).state,

    async *watch(signal) {
      let last = "";
      while (!signal.aborted) {
        const { state } = await observe(world);
        // What only grows older is no change.
        const seen = JSON.stringify(state, (key, value: unknown) => (/^(at|age_ms|ts)$/.test(key) ? undefined : value));
        if (seen !== last) yield { kind: "state", state };
        last = seen;
        await pause(500, signal);
      }
    },

    async run(command, tell = () => {}) {
      const seen = await observe(world);
      const { by } = command;
      const asker =
        by.kind === "agent" && isAgentToken(world.home, by.name, by.token)
          ? seen.agents.find((one) => one.agent.name === by.name)
          : undefined;
      judge(
        command,
        asker && { role: asker.agent.role },
        seen.roster.agents.map((agent) => agent.name),
      );
      return act(command, seen, tell);
    },
  };

  async function act(command: Command, seen: Awaited<ReturnType<typeof observe>>, tell: Tell): Promise<Outcome> {
    const { fleet } = seen.roster;
    if (seen.roster.supervisor === "systemd" && ["start", "restart", "apply"].includes(command.do)) throw noSystemd();
    const chosen = (names: readonly string[] | "all") =>
      names === "all" ? seen.agents : [...new Set(names)].map((name) => namedAgent(seen.agents, name));
    switch (command.do) {
      case "send": {
        const one = namedAgent(seen.agents, command.agent);
        const id = command.id ?? crypto.randomUUID();
        const text = frame(command.by, id, command.text);
        const harness = await harnessOf(asLaunched(one).runtime);
        requireRunning(one);
        const receipt = await harness.submit(deskOf(world, fleet, asLaunched(one)), { id, text, mode: command.mode });
        world.log({ agent: one.agent.name, event: `message-${receipt.state}`, note: `${id} from ${sender(command)}` });
        return { did: "send", receipt };
      }
      case "interrupt": {
        const one = namedAgent(seen.agents, command.agent);
        requireRunning(one);
        const harness = await harnessOf(asLaunched(one).runtime);
        const note = await harness.interrupt(deskOf(world, fleet, asLaunched(one)));
        return { did: "interrupt", agent: one.agent.name, note };
      }
      case "start":
        return {
          did: "start",
          agents: await startAll(
            fleet,
            chosen(command.agents).filter((one) => one.managed),
            tell,
          ),
        };
      case "stop":
        return { did: "stop", agents: await stopAll(fleet, chosen(command.agents), tell) };
      case "restart": {
        const those = chosen(command.agents).filter((one) => one.managed);
        await checkAll(fleet, those);
        await stopAll(fleet, those, tell);
        const started = await startAll(fleet, those, tell);
        return {
          did: "restart",
          agents: started.map((one) => asRestart(one, those)),
        };
      }
      case "apply":
        return { did: "apply", agents: await applyAll(fleet, seen.agents, tell) };
    }
  }

  async function applyAll(fleet: string, agents: Observed[], tell: Tell): Promise<AgentOutcome[]> {
    const changes = planOf(world, agents);
    const of = (kind: Change["kind"]) =>
      changes.filter((change) => change.kind === kind).map((change) => namedAgent(agents, change.agent));
    const [starts, restarts] = [of("start"), of("restart")];
    await checkAll(fleet, [...starts, ...restarts]);
    const stopped = await stopAll(fleet, of("stop"), tell);
    await stopAll(fleet, restarts, tell);
    const started = await startAll(fleet, [...starts, ...restarts], tell);
    return [...stopped, ...started.map((one) => asRestart(one, restarts))];
  }

  /** Everything that can be known to fail is known before anything is changed. */
  async function checkAll(fleet: string, agents: readonly Observed[]): Promise<void> {
    for (const one of agents) await prepare(world, fleet, one.agent);
  }

  /** The daemon comes first: whoever fails to start, the others are watched. One that fails does not hide the rest. */
  async function startAll(fleet: string, agents: readonly Observed[], tell: Tell): Promise<AgentOutcome[]> {
    await checkAll(
      fleet,
      agents.filter((one) => one.unit.process === "none"),
    );
    await parts.ensureDaemon();
    const first = agents.toSorted(
      (a, b) => Number(b.agent.role === "orchestrator") - Number(a.agent.role === "orchestrator"),
    );
    return inGroups(first, async (one): Promise<AgentOutcome> => {
      const { name } = one.agent;
      if (one.unit.process === "none") tell(`starting ${name}`);
      try {
        const did = await world.supervisor.start(name);
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
        const [one] = (await observe(world, name)).agents;
        if (one === undefined || one.derived.state === "starting") return undefined;
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
      const why = state === "dead" ? settled.derived.decided.note : "and was started again";
      throw new FleetError("unreachable", `it ended right after its start: ${why}`, {
        hint: `mosaic fleet explain ${name}`,
      });
    }
    return `${state} after ${((world.now() - began) / 1_000).toFixed(1)} s`;
  }

  async function stopAll(fleet: string, agents: readonly Observed[], tell: Tell): Promise<AgentOutcome[]> {
    const last = agents.toSorted(
      (a, b) => Number(a.agent.role === "orchestrator") - Number(b.agent.role === "orchestrator"),
    );
    return inGroups(last, async (one): Promise<AgentOutcome> => {
      const { name } = one.agent;
      if (one.unit.process !== "none") tell(`stopping ${name}`);
      const agent = asLaunched(one);
      const harness = await harnessOf(agent.runtime);
      const ask = async () => {
        const { pid } = world.supervisor.observe([name]).get(name) ?? {};
        if (pid !== undefined) await harness.end(deskOf(world, fleet, agent), pid);
      };
      const did = await world.supervisor.stop(name, { ask, graceMs });
      harness.tidy?.(deskOf(world, fleet, agent));
      return did === "already"
        ? { agent: name, did: "nothing", note: "it was stopped already" }
        : { agent: name, did: "stopped", note: exitNote(name) };
    });
  }

  function exitNote(name: string): string {
    const exit = world.supervisor.observe([name]).get(name)?.exit;
    return exit === undefined ? "it left no exit code" : `exit code ${exit.code}`;
  }

  function asLaunched(one: Observed): Agent {
    return one.unit.process === "none" ? one.agent : (launchedAs(world, one.agent.name)?.agent ?? one.agent);
  }
}

/** Says of an agent that was stopped for it that it was restarted. */
function asRestart(one: AgentOutcome, restarted: readonly Observed[]): AgentOutcome {
  const was = restarted.some((each) => each.agent.name === one.agent);
  return one.did === "started" && was ? { ...one, did: "restarted" } : one;
}

/** What apply would do now. */
export function planOf(world: World, agents: readonly Observed[]): Change[] {
  return plan(
    agents.filter((one) => one.managed).map((one) => one.agent),
    agents.map((one) => ({
      name: one.agent.name,
      wanted: one.unit.wanted,
      running: one.unit.process !== "none",
      quarantined: one.unit.quarantined !== undefined,
      launched: launchedAs(world, one.agent.name)?.agent,
    })),
  );
}

function requireRunning(one: Observed): void {
  if (one.unit.process !== "none") return;
  const { name } = one.agent;
  throw new FleetError("unreachable", `${name} is ${one.derived.state}; nothing was sent.`, {
    hint: `mosaic fleet start ${name}`,
  });
}

const noSystemd = (): FleetError =>
  new FleetError(
    "conflict",
    "This version of mosaic keeps agents alive by itself; it cannot hand them to systemd yet.",
    {
      hint: "mosaic fleet init --supervisor auto --yes",
    },
  );

const sender = (command: Command): string => (command.by.kind === "person" ? "a person" : command.by.name);

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
