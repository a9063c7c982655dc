import type { FleetState } from "../contract/state.ts";
import type { Talk } from "./talk.ts";

type Sample = readonly [labels: Record<string, string>, value: number];

/** What a Prometheus may scrape from the daemon's socket: of agents, messages, connectors, and of the daemon itself. */
export function metricsText(state: FleetState, talk: Pick<Talk, "health" | "counts">, startedAt: number): string {
  const { agents } = state;
  const { rss, heapUsed } = process.memoryUsage();
  return [
    family(
      "mosaic_agent_state",
      "gauge",
      "1 for the state that the agent is in.",
      agents.map((one) => [{ agent: one.name, role: one.role, runtime: one.runtime, state: one.state }, 1]),
    ),
    family(
      "mosaic_agent_restarts_total",
      "counter",
      "Starts after an end by itself.",
      agents.map((one) => [{ agent: one.name }, one.restarts]),
    ),
    family(
      "mosaic_agent_heartbeat_age_seconds",
      "gauge",
      "Age of the last beat.",
      agents.flatMap((one): Sample[] =>
        one.heartbeat.age_ms === null ? [] : [[{ agent: one.name }, one.heartbeat.age_ms / 1_000]],
      ),
    ),
    family(
      "mosaic_messages_waiting",
      "gauge",
      "Messages that are not delivered yet.",
      agents.map((one) => [{ agent: one.name }, one.queue]),
    ),
    family(
      "mosaic_connector_state",
      "gauge",
      "1 for the state that the connector is in.",
      [...talk.health()].map(([account, health]) => [{ account, state: health.state }, 1]),
    ),
    family(
      "mosaic_chat_outgoing",
      "gauge",
      "Rows of what goes out, by state.",
      [...talk.counts()].flatMap(([account, counts]) =>
        [...counts].map(([at, count]): Sample => [{ account, state: at }, count]),
      ),
    ),
    family("process_resident_memory_bytes", "gauge", "Memory of the daemon.", [[{}, rss]]),
    family("nodejs_heap_size_used_bytes", "gauge", "Heap of the daemon.", [[{}, heapUsed]]),
    family("process_start_time_seconds", "gauge", "When the daemon started.", [[{}, startedAt / 1_000]]),
  ].join("");
}

function family(name: string, type: "gauge" | "counter", help: string, samples: readonly Sample[]): string {
  const lines = samples.map(([labels, value]) => {
    const pairs = Object.entries(labels).map(([key, text]) => `${key}="${escape(text)}"`);
    return `${name}${pairs.length === 0 ? "" : `{${pairs.join(",")}}`} ${value}\n`;
  });
  return `# HELP ${name} ${help}\n# TYPE ${name} ${type}\n${lines.join("")}`;
}

const escape = (text: string): string => text.replaceAll("\\", "\\\\").replaceAll('"', '\\"').replaceAll("\n", "\\n");
