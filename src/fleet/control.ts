import type { Approval, Command, Decision, FleetControl, Outcome } from "../contract/command.ts";
import { harnessOf } from "../harness/index.ts";
import { FleetError } from "../lib/errors.ts";
import { pause } from "../lib/wait.ts";
import type { SupervisorKind } from "../supervisor/supervisor.ts";
import { answerApproval } from "./approvals.ts";
import { isAgentToken } from "./credentials.ts";
import { install, uninstall } from "./install.ts";
import { asLaunched, deskOf } from "./launch.ts";
import { lifecycle, type Tell } from "./lifecycle.ts";
import { again, send } from "./messages.ts";
import { namedAgent } from "./names.ts";
import { observe, type Observed } from "./observe.ts";
import { judge } from "./policy.ts";
import { chooseSupervisor, requireSupervisor } from "./supervision.ts";
import type { World } from "./world.ts";

/** The fleet, commanded in this very process. Works with the daemon up or down. */
export function inProcess(
  world: World,
  parts: {
    ensureDaemon: (kind: SupervisorKind) => Promise<void>;
    /** A person at this machine has answered what others may have been asked too. */
    tellDecided: (approval: Approval, decision: Decision) => Promise<void>;
  },
): FleetControl {
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
      // Whoever delivers looks at the receiver himself; for the rest it is enough to know who is there.
      const asking = command.do !== "send" && command.do !== "retry" && command.do !== "cancel";
      const seen = await observe(world, { asking });
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
    const choice = chooseSupervisor(world, seen.roster.supervisor);
    if (["start", "restart", "apply", "install"].includes(command.do)) requireSupervisor(world, choice);
    const life = lifecycle(world, choice.kind, parts.ensureDaemon);
    const chosen = (names: readonly string[] | "all") =>
      names === "all" ? seen.agents : [...new Set(names)].map((name) => namedAgent(seen.agents, name));
    switch (command.do) {
      case "send":
        return { did: "send", messages: await send(world, command, seen) };
      case "retry":
      case "cancel":
        return { did: command.do, messages: [await again(world, command)] };
      case "interrupt": {
        const one = namedAgent(seen.agents, command.agent);
        requireRunning(one);
        const harness = await harnessOf(asLaunched(world, one).runtime);
        const desk = deskOf(world, fleet, asLaunched(world, one));
        const note = await harness.interrupt(desk);
        await harness.goOn?.(desk); // what waited behind that turn waits for no daemon
        return { did: "interrupt", agent: one.agent.name, note };
      }
      case "start":
      case "restart": {
        const those = chosen(command.agents).filter((one) => one.managed);
        return { did: command.do, agents: await life[command.do](fleet, those, tell) };
      }
      case "stop":
        return { did: "stop", agents: await life.stop(fleet, chosen(command.agents), tell) };
      case "answer": {
        const approval = await answerApproval(world, fleet, seen.agents, command);
        if (command.by.kind === "person") await parts.tellDecided(approval, command.decision);
        return { did: "answer", approval, decision: command.decision };
      }
      case "install":
        return {
          did: "install",
          findings: await install(world, seen.roster.supervisor, (kind) => parts.ensureDaemon(kind)),
        };
      case "uninstall":
        return { did: "uninstall", findings: await uninstall(world, seen.agents) };
      case "apply":
        return { did: "apply", agents: await life.apply(fleet, seen.agents, tell) };
    }
  }
}

function requireRunning(one: Observed): void {
  if (one.unit.process !== "none") return;
  const { name } = one.agent;
  throw new FleetError("unreachable", `${name} is ${one.derived.state}; nothing was sent.`, {
    hint: `mosaic fleet start ${name}`,
  });
}
