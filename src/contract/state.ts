import * as z from "zod";

import { roles, runtimes } from "./agent.ts";
import { agentStates } from "./state-names.ts";

const AgentState = z.enum(agentStates);
export type AgentState = z.infer<typeof AgentState>;

/** What said the state, and how long ago. `at` is null where nothing has spoken yet. */
const Evidence = z.object({ source: z.string(), at: z.iso.datetime().nullable(), age_ms: z.number().nullable() });

const Heartbeat = z.object({
  health: z.enum(["healthy", "stale", "unknown"]),
  ts: z.string().nullable(),
  age_ms: z.number().nullable(),
  pid: z.number().nullable(),
  interval_ms: z.number().nullable(),
});

export const AgentStatus = z.object({
  name: z.string(),
  role: z.enum(roles),
  runtime: z.enum(runtimes),
  model: z.string().nullable(),
  host: z.string(),
  tenant: z.string(),
  /** False for an agent that runs though the roster does not name it. */
  managed: z.boolean(),
  state: AgentState,
  /** What it waits for, or what failed, in the harness's own words. */
  why: z.string().nullable(),
  /** When a limit ends, where the provider has said so. */
  until: z.iso.datetime().nullable(),
  evidence: Evidence,
  heartbeat: Heartbeat,
  pid: z.number().nullable(),
  session_id: z.string().nullable(),
  version: z.string().nullable(),
  restarts: z.number(),
  queue: z.number(),
  drift: z.array(z.string()),
});
export type AgentStatus = z.infer<typeof AgentStatus>;

/** The one document that every skin renders; `mosaic fleet ps --json` prints it. */
export const FleetState = z.object({
  version: z.literal(1),
  fleet: z.string(),
  tenant: z.string(),
  host: z.string(),
  at: z.iso.datetime(),
  agents: z.array(AgentStatus),
});
export type FleetState = z.infer<typeof FleetState>;
