import type { Word } from "../connector/connector.ts";
import type { Approval, Decision, Outcome, Question } from "../contract/command.ts";
import type { FleetState } from "../contract/state.ts";
import { FleetError } from "../lib/errors.ts";
import { table, visible } from "../lib/text.ts";
import type { Standing } from "./access.ts";
import { words } from "./orders.ts";

/** What the chat says, in one place. Results first, short, and what to do next where something is left to do. */

/** A fixed-width block; a fence inside cannot end it. */
const block = (text: string): string => `\`\`\`\n${text.trimEnd().replaceAll("```", "ʼʼʼ")}\n\`\`\``;

export function fleetText(state: FleetState): string {
  const rows = state.agents.map((agent) => [
    agent.name,
    agent.role === "orchestrator" ? "*" : "",
    agent.state,
    agent.model ?? agent.runtime,
    agent.queue > 0 ? `${agent.queue} waiting` : "",
  ]);
  return block(table([["AGENT", "", "STATE", "MODEL", "MESSAGES"], ...rows]));
}

export function statusText(state: FleetState, name: string): string {
  const agent = state.agents.find((one) => one.name === name);
  if (agent === undefined) return `There is no agent ${name}. There are ${namesOf(state)}.`;
  const { evidence } = agent;
  const age = evidence.age_ms === null ? "" : `, ${spanText(evidence.age_ms)} ago`;
  const why = agent.why === null ? "" : ` (${agent.why})`;
  return `${name} is ${agent.state}${why}: by ${evidence.source}${age}. ${agent.runtime}${agent.model === null ? "" : ` on ${agent.model}`}, ${agent.restarts} restarts, ${agent.queue} messages waiting.`;
}

const namesOf = (state: FleetState): string => state.agents.map((agent) => agent.name).join(", ");

/** A time as people say it. */
export function spanText(ms: number): string {
  const seconds = Math.round(ms / 1_000);
  if (seconds < 90) return `${seconds} s`;
  const minutes = Math.round(seconds / 60);
  return minutes < 90 ? `${minutes} min` : `${Math.round(minutes / 60)} h`;
}

export function outcomeText(outcome: Outcome): string {
  switch (outcome.did) {
    case "interrupt":
      return `${outcome.agent}: ${outcome.note}`;
    case "answer":
      return `${decidedText(outcome.decision)}: ${outcome.approval.agent}, ${outcome.approval.what}`;
    case "start":
    case "stop":
    case "restart":
    case "apply":
      return outcome.agents.length === 0
        ? "Nothing to do."
        : outcome.agents
            .map((one) => `${one.agent}: ${one.did === "nothing" ? one.note : `${one.did}, ${one.note}`}`)
            .join("\n");
    case "send":
    case "retry":
    case "cancel":
      return outcome.messages.map((one) => `${one.to}: ${one.state}`).join("\n");
    case "install":
    case "uninstall":
      return outcome.findings.map((one) => one.text).join("\n");
  }
}

export const decidedText = (decision: Decision): string =>
  typeof decision === "object" ? "Answered" : decision === "allow" ? "Allowed" : "Denied";

/** An error as its sentence. What is ours to mend is in the log and not in the chat. */
export function errorText(error: unknown, standing: Standing): string {
  if (!(error instanceof FleetError)) return "That did not work, and the fault is mosaic's; see `mosaic fleet logs`.";
  // Where it is and what stands there is the owner's alone to know.
  if (error.code === "invalid-roster" && standing !== "owner")
    return "The fleet's roster has a fault, so nothing can be asked of it. Its owner sees which: mosaic fleet plan";
  return error.hint === undefined ? error.message : `${error.message} Next: ${error.hint}`;
}

/** How much of what an agent asks for is shown: with everything around it it must fit into one message. */
const mostAsked = 1_000;
const oneLine = (text: string, most: number): string =>
  visible(text).replaceAll(/\s+/g, " ").replaceAll("```", "ʼʼʼ").slice(0, most);

export function approvalText({
  agent,
  what,
  cwd,
  reason,
  questions,
}: Pick<Approval, "agent" | "what" | "cwd" | "reason" | "questions">): string {
  const where = cwd === null ? "" : `\nin ${oneLine(cwd, 200)}`;
  const why = reason === null ? "" : `\nIts reason: ${oneLine(reason, 300)}`;
  const asked =
    questions === undefined
      ? quoted(`${agent} asks to be allowed`, what)
      : quoted(`${agent} asks`, questions.map(questionText).join("\n\n"));
  return `${asked}${where}${why}`;
}

/** The same when it is over. */
export const askedText = ({ agent, what }: Pick<Approval, "agent" | "what">): string => quoted(`${agent} asked`, what);

/** An agent's words: nothing in them may look like ours, and what is approved unseen is at least said to be there. */
function quoted(head: string, said: string): string {
  const shown = visible(said);
  const rest = shown.length - mostAsked;
  const more = rest > 0 ? `\n… and ${rest} characters that are not shown here: mosaic fleet approvals` : "";
  return `${head}:\n${block(shown.slice(0, mostAsked))}${more}`;
}

const questionText = ({ text, options, several }: Question): string =>
  [
    `${text}${several ? " (more than one may be chosen)" : ""}`,
    ...options.map(({ label, about }, at) => `${at + 1} ${label}${about === null ? "" : `: ${about}`}`),
  ].join("\n");

/** `/ask AGENT TEXT`, `/status [AGENT]`. */
const usageOf = ({ word, wants }: Word): string =>
  [`/${word}`, ...wants.map(({ name, isNeeded }) => (isNeeded ? name.toUpperCase() : `[${name.toUpperCase()}]`))].join(
    " ",
  );

export const helpText = `Whatever you write goes to the orchestrator. Lines that begin with / or ! are for the fleet itself:
${block(table(words.map((one) => [usageOf(one), one.about])))}`;
