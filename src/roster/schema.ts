import * as z from "zod";

import { namePattern, permissionFloors, restartRules, roles, runtimes } from "../contract/agent.ts";
import { platforms } from "../contract/connector.ts";

const name = z
  .string()
  .regex(namePattern, "a name is 1 to 32 of a-z, 0-9 and -, and begins with a letter")
  .describe("a-z, 0-9 and -, at most 32, beginning with a letter");
const line = (about: string) =>
  z
    .string()
    .min(1)
    .refine((text) => !text.includes("\0"), "must not hold a NUL character")
    .describe(about);
const variable = z.string().regex(/^[A-Za-z_][A-Za-z0-9_]*$/, "not a name of an environment variable");
const own = z
  .string()
  .refine((key) => !key.startsWith("MOSAIC_"), "MOSAIC_… is set by mosaic itself")
  .pipe(variable);

/** Keys that `defaults` may set for every agent and an agent may set for itself. */
const settings = {
  workdir: line("folder the agent works in; ~ is your home").optional(),
  model: line("model, as the harness spells it").optional(),
  args: z.array(line("argument")).optional().describe("further arguments for the harness's command line"),
  env: z.record(own, z.string()).optional().describe("environment variables (nothing secret: use secrets)"),
  secrets: z.array(own).optional().describe("names of variables whose values lie in secrets/env"),
  permissions: z.enum(permissionFloors).optional().describe("what the agent may do without asking (default full)"),
  limits: z
    .strictObject({
      memory: z
        .string()
        .regex(/^([1-9]\d*(\.\d+)?[KMGT]|infinity)$/, "an amount of memory is a number and K, M, G or T, as in 4G")
        .optional()
        .describe("memory, as in 4G; whoever uses more is ended and started again"),
      cpu: z
        .string()
        .regex(/^[1-9]\d*%$/, "a share of processors is a percentage; 150% is one and a half")
        .optional()
        .describe("share of processors, as in 150%"),
      tasks: z.int().min(8).optional().describe("processes and threads at most"),
    })
    .optional()
    .describe("what the agent may use of the machine (kept where systemd supervises)"),
  restart: z.enum(restartRules).optional().describe("when to start it again after it ended by itself (default always)"),
};

const AgentEntry = z
  .looseObject({
    name,
    role: z.enum(roles).optional().describe("exactly one agent is the orchestrator (default worker)"),
    runtime: z.enum(runtimes).describe("which harness runs the agent"),
    prompt: z.string().optional().describe("the agent's role, in words for its model"),
    command: z
      .tuple([line("program")], line("argument"))
      .optional()
      .describe("program and arguments, for runtime: command"),
    ...settings,
  })
  .describe("one agent");

/** A number would lose its last digits: ids of 19 digits are no numbers in YAML. */
const platformId = z
  .string('an id stands in quotes, as in "123456789012345678"')
  .regex(/^[\w:.@!#-]{1,128}$/, "not an id")
  .describe("the platform's own id, in quotes");

const ConnectorEntry = z
  .looseObject({
    platform: z.enum(platforms).optional().describe("which chat service; the key's own name where it is left out"),
    agent: name.optional().describe("whom people talk to there (default: the orchestrator)"),
    url: z.url().optional().describe("the service's address, where it is not the platform's own"),
    guild: platformId.optional().describe("the server whose channels these are (Discord)"),
    channels: z
      .array(platformId)
      .optional()
      .describe("channels to listen and speak in; none means direct messages only"),
    owners: z.array(platformId).optional().describe("people who may do everything; empty means nobody"),
    users: z.array(platformId).optional().describe("people who may talk and look"),
    mention: z.boolean().optional().describe("whether it must be named to be spoken to in a channel (default true)"),
  })
  .describe("one account at a chat service");

/** The roster: the only desired state. Unknown keys are kept and warned about. */
export const Roster = z
  .looseObject({
    version: z.literal(1, "this mosaic reads roster version 1"),
    fleet: name.describe("the fleet's name"),
    tenant: name.optional(),
    preset: line("the preset this roster began as").optional(),
    defaults: z.looseObject(settings).optional().describe("settings for every agent that does not set its own"),
    supervisor: z.enum(["auto", "systemd", "builtin"]).optional().describe("what keeps agents alive (default auto)"),
    comms: z.looseObject({ bus: z.enum(["tmux", "matrix"]).optional() }).optional(),
    connectors: z.record(name, ConnectorEntry).optional().describe("chat services, by a name of yours"),
    policy: z.record(z.string(), z.unknown()).optional(),
    hosts: z.record(z.string(), z.unknown()).optional(),
    agents: z.array(AgentEntry).min(1, "a fleet has at least its orchestrator"),
  })
  .describe("Mosaic Fleet roster");
export type Roster = z.infer<typeof Roster>;

/** What a preset says beside being a roster: how it is listed, and which runtimes each agent would like, best first. */
const PresetEntry = AgentEntry.omit({ runtime: true }).extend({
  runtime: z.union([z.enum(runtimes), z.array(z.enum(runtimes)).min(1)]),
});

export const Preset = Roster.omit({ preset: true }).extend({
  preset: z.looseObject({ name, title: line("one line for the wizard's list"), summary: z.string() }),
  agents: z.array(PresetEntry).min(1),
});
export type Preset = z.infer<typeof Preset>;

/** JSON Schema of the roster, for editors. */
export function rosterJsonSchema(): object {
  return { $id: "mosaic-fleet-roster-v1", ...z.toJSONSchema(Roster, { io: "input", unrepresentable: "any" }) };
}
