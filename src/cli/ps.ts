import type { AgentStatus, FleetState } from "../contract/state.ts";
import { age, painter, table, type Style } from "../lib/text.ts";
import type { Context } from "./context.ts";
import { printJson } from "./print-json.ts";

const colors: Partial<Record<AgentStatus["state"], Style>> = {
  idle: "green",
  working: "cyan",
  running: "green",
  starting: "blue",
  dead: "red",
  "auth-failed": "red",
  unknown: "yellow",
  limited: "yellow",
  "waiting-permission": "yellow",
  "waiting-input": "yellow",
  stopped: "dim",
};

/** `ps`: every agent and how it is, on the evidence. */
export async function ps(
  context: Context,
  options: { json?: true | undefined; watch?: true | undefined },
): Promise<number> {
  if (options.watch) {
    for await (const { state } of context.control.watch(context.signal)) {
      if (options.json) context.out(`${JSON.stringify(state)}\n`);
      else context.out(`${context.interactive ? "\u001b[H\u001b[2J" : ""}${renderFleet(state, context)}`);
    }
    return 0;
  }
  const state = await context.control.state();
  if (options.json) printJson(context, state);
  else context.out(renderFleet(state, context));
  return 0;
}

/** When a limit ends, in the person's own time; with the day where that is not within one. */
function untilOf(iso: string): string {
  const end = new Date(iso);
  const two = (number: number) => String(number).padStart(2, "0");
  const time = `${two(end.getHours())}:${two(end.getMinutes())}`;
  const day = `${end.getFullYear()}-${two(end.getMonth() + 1)}-${two(end.getDate())}`;
  return `until ${end.getTime() - Date.now() < 86_400_000 ? time : `${day} ${time}`}`;
}

/** The table that people see. */
export function renderFleet(state: FleetState, { color, columns }: Pick<Context, "color" | "columns">): string {
  const paint = painter(color);
  const head = ["AGENT", "ROLE", "RUNTIME", "STATE", "EVIDENCE", "BEAT", "RESTARTS", "MODEL", "DRIFT"].map((word) =>
    paint("bold", word),
  );
  const rows = state.agents.map((agent) => [
    agent.name,
    agent.role,
    agent.runtime,
    paint(colors[agent.state] ?? "bold", agent.until === null ? agent.state : `${agent.state} ${untilOf(agent.until)}`),
    agent.evidence.age_ms === null
      ? agent.evidence.source
      : `${agent.evidence.source} ${age(agent.evidence.age_ms)} ago`,
    agent.heartbeat.age_ms === null || agent.pid === null
      ? "-"
      : `${agent.heartbeat.health} ${age(agent.heartbeat.age_ms)}`,
    String(agent.restarts),
    agent.model ?? "-",
    agent.drift.length === 0 ? "-" : paint("yellow", agent.drift.join("; ")),
  ]);
  return table([head, ...rows], columns);
}
