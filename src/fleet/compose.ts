import type { Runtime } from "../contract/agent.ts";
import type { Wiring } from "../contract/connector.ts";
import { addAgent, removeAgent, setValue } from "../roster/edit.ts";
import { parseRoster, type LoadedRoster } from "../roster/load.ts";
import type { FoundPreset } from "../roster/preset.ts";
import type { Preset } from "../roster/schema.ts";

/** What a person answered; undefined is "not asked to change". */
export interface Answers {
  type?: FoundPreset | undefined;
  name?: string | undefined;
  workdir?: string | undefined;
  runtime?: Runtime | undefined;
  orchestratorRuntime?: Runtime | undefined;
  supervisor?: "auto" | "systemd" | "builtin" | undefined;
  /** A chat service that shall reach the orchestrator. */
  connector?: Wiring | undefined;
}

/** Which runtimes there are to choose from, best known first. */
export interface Installed {
  has: (runtime: Runtime) => boolean;
  supports: (runtime: Runtime) => boolean;
}

type PresetAgent = Preset["agents"][number];

/** The orchestrator that a preset without one gets: exactly one is an invariant, not a habit of presets. */
const injected: PresetAgent = {
  name: "mos",
  role: "orchestrator",
  runtime: ["claude", "codex", "pi", "opencode"],
  permissions: "full",
  prompt: `You are the orchestrator: the one agent that the person talks to. Break a wish into tasks that one agent can
finish, hand them over with \`mosaic fleet send NAME "…"\`, check what comes back, and report briefly. \`mosaic fleet ps\`
tells who is there. Ask the person before anything that cannot be undone. A message from the person who owns this
fleet may come by chat: the last text of your turn is what they read there, so let it stand alone. What comes about later
they get by \`mosaic fleet report "…"\`.
`,
};

/** The roster's text for a first init: the preset's own text, comments included, with the answers put in. Pure. */
export function composeRoster(
  preset: FoundPreset,
  answers: Answers & { name: string; workdir: string },
  installed: Installed,
): string {
  let text = setValue(setValue(preset.text, ["preset"], preset.name), ["fleet"], answers.name);
  text = setValue(text, ["defaults", "workdir"], answers.workdir);
  if (answers.supervisor !== undefined) text = setValue(text, ["supervisor"], answers.supervisor);
  const agents = withOrchestrator(preset.preset.agents);
  for (const [at, agent] of agents.entries()) {
    const runtime = chooseRuntime(agent, answers, installed);
    text =
      at < preset.preset.agents.length
        ? setValue(text, ["agents", at, "runtime"], runtime)
        : addAgent(text, entryOf(agent, runtime));
  }
  return text;
}

/** The roster's text for a later init: only what was asked changes, everything else stays byte for byte. Pure. */
export function reviseRoster(
  text: string,
  current: LoadedRoster,
  answers: Answers,
  before: FoundPreset | undefined,
  installed: Installed,
): string {
  let edited = text;
  if (answers.name !== undefined) edited = setValue(edited, ["fleet"], answers.name);
  if (answers.workdir !== undefined) edited = setValue(edited, ["defaults", "workdir"], answers.workdir);
  if (answers.supervisor !== undefined) edited = setValue(edited, ["supervisor"], answers.supervisor);
  for (const [at, agent] of current.agents.entries()) {
    const runtime = agent.role === "orchestrator" ? answers.orchestratorRuntime : answers.runtime;
    if (runtime !== undefined && agent.runtime !== "command")
      edited = setValue(edited, ["agents", at, "runtime"], runtime);
  }
  if (answers.type === undefined || answers.type.name === current.preset) return edited;
  return changeType(setValue(edited, ["preset"], answers.type.name), current, answers, before, installed);
}

/** Workers that are still as the old preset had them make room for the new one's; whatever a person touched stays. */
function changeType(
  text: string,
  current: LoadedRoster,
  answers: Answers,
  before: FoundPreset | undefined,
  installed: Installed,
): string {
  let edited = text;
  const old = new Map(withOrchestrator(before?.preset.agents ?? []).map((agent) => [agent.name, agent]));
  const fresh = withOrchestrator(answers.type?.preset.agents ?? []);
  const untouched = (agent: LoadedRoster["agents"][number]) => {
    const was = old.get(agent.name);
    return (
      was !== undefined &&
      was.prompt === agent.prompt &&
      (was.permissions ?? "full") === agent.permissions &&
      was.model === agent.model
    );
  };
  const leaving = current.agents.filter((agent) => agent.role === "worker" && untouched(agent));
  const staying = new Set(current.agents.filter((agent) => !leaving.includes(agent)).map((agent) => agent.name));
  const lead = current.agents.findIndex((agent) => agent.role === "orchestrator");
  const leader = current.agents[lead];
  const newLead = fresh.find((agent) => agent.role === "orchestrator");
  if (leader !== undefined && untouched(leader) && newLead?.prompt !== undefined) {
    edited = setValue(edited, ["agents", lead, "prompt"], newLead.prompt);
  }
  for (const agent of leaving) edited = removeAgent(edited, agent.name);
  for (const agent of fresh) {
    if (agent.role === "orchestrator" || staying.has(agent.name)) continue;
    edited = addAgent(edited, entryOf(agent, chooseRuntime(agent, answers, installed)));
  }
  return edited;
}

/** In the order in which the shipped presets write an agent. */
function entryOf(agent: PresetAgent, runtime: Runtime): Record<string, unknown> {
  const { name, role, prompt, ...rest } = agent;
  const known = { name, role, ...rest, runtime, prompt };
  return Object.fromEntries(Object.entries(known).filter(([, value]) => value !== undefined));
}

const withOrchestrator = (agents: readonly PresetAgent[]): PresetAgent[] =>
  agents.some((agent) => agent.role === "orchestrator")
    ? [...agents]
    : [...agents, { ...injected, name: freeName(agents) }];

function freeName(agents: readonly PresetAgent[]): string {
  const taken = new Set(agents.map((agent) => agent.name));
  return (
    ["mos", "orchestrator", ...Array.from({ length: 99 }, (_, at) => `mos-${at + 2}`)].find(
      (name) => !taken.has(name),
    ) ?? "mos"
  );
}

/** The answer where there is one, else the first wish that is installed, else the first that could be. */
function chooseRuntime(agent: PresetAgent, answers: Answers, installed: Installed): Runtime {
  const wishes = [agent.runtime].flat();
  if (wishes[0] === "command") return "command";
  const asked = agent.role === "orchestrator" ? answers.orchestratorRuntime : answers.runtime;
  if (asked !== undefined) return asked;
  const able = wishes.filter(installed.supports);
  return able.find(installed.has) ?? able[0] ?? (installed.supports("pi") ? "pi" : (wishes[0] ?? "pi"));
}

/** Reads a composed text back; what init writes is a valid roster, or is not written. */
export const readBack = (text: string, path: string, userHome: string): LoadedRoster =>
  parseRoster(text, path, userHome);
