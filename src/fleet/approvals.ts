import type { Approval, Command, Question } from "../contract/command.ts";
import type { AgentState } from "../contract/state.ts";
import { harnessOf } from "../harness/index.ts";
import { FleetError } from "../lib/errors.ts";
import { asLaunched, deskOf } from "./launch.ts";
import { observe, type Observed } from "./observe.ts";
import type { World } from "./world.ts";

const waits: ReadonlySet<AgentState> = new Set(["waiting-permission", "waiting-input"]);

/**
 * Everything that agents wait to be allowed, the oldest first. An agent whose harness cannot be answered from outside is
 * listed too, without an id: its own terminal is the place.
 */
export async function openApprovals(world: World, fleet: string, agents: readonly Observed[]): Promise<Approval[]> {
  const found = await Promise.all(
    agents.filter(({ derived }) => waits.has(derived.state)).map((one) => ofAgent(world, fleet, one)),
  );
  return found.flat().toSorted((a, b) => a.at.localeCompare(b.at));
}

/** The same, looked at now. */
export async function fleetApprovals(world: World): Promise<Approval[]> {
  const { roster, agents } = await observe(world);
  return openApprovals(world, roster.fleet, agents);
}

async function ofAgent(world: World, fleet: string, one: Observed): Promise<Approval[]> {
  const agent = asLaunched(world, one);
  const harness = await harnessOf(agent.runtime);
  const { evidence, why } = one.status;
  // Of other questions only those are listed that can be answered as such.
  if (one.derived.state === "waiting-input" && harness.choose === undefined) return [];
  const unanswerable = {
    agent: agent.name,
    id: null,
    what: why ?? "a permission question",
    cwd: null,
    reason: null,
    at: evidence.at ?? new Date(world.now()).toISOString(),
  };
  if (harness.permissions === undefined || harness.answer === undefined) return [unanswerable];
  const open = await harness.permissions(deskOf(world, fleet, agent)).catch(() => undefined);
  if (open === undefined) return [unanswerable];
  return open.map(({ id, what, cwd, reason, at, questions }) => ({
    agent: agent.name,
    id,
    what: id === null ? unanswerable.what : what,
    cwd: cwd ?? null,
    reason: reason ?? null,
    at: new Date(at).toISOString(),
    ...(questions !== undefined && { questions }),
  }));
}

/** Answers the one question with that id, or beginning so; the first answer, here or in the terminal, is the one that counts. */
export async function answerApproval(
  world: World,
  fleet: string,
  agents: readonly Observed[],
  { id, decision, by }: Pick<Extract<Command, { do: "answer" }>, "id" | "decision" | "by">,
): Promise<Approval> {
  const open = await openApprovals(world, fleet, agents);
  const found = questionNamed(open, id, { whole: by.kind === "chat" });
  const one = agents.find(({ agent }) => agent.name === found.agent) as Observed;
  const agent = asLaunched(world, one);
  const harness = await harnessOf(agent.runtime);
  const desk = deskOf(world, fleet, agent);
  const hint = `mosaic fleet approvals ${found.questions === undefined ? "allow" : "answer"} ${found.agent}/${found.id}`;
  if (typeof decision === "object") {
    if (found.questions === undefined)
      throw new FleetError("usage", `${found.agent} asks to be allowed something.`, { hint });
    await harness.choose?.(desk, found.id, answersTo(found.questions, decision.answers, `${hint} …`));
  } else if (decision === "allow" && found.questions !== undefined) {
    throw new FleetError("usage", `${found.agent} asks for an answer.`, { hint: `${hint} 1` });
  } else await harness.answer?.(desk, found.id, decision);
  const event = typeof decision === "object" ? "question-answered" : `permission-${decision}`;
  world.log({ agent: agent.name, event, note: `${found.id}: ${oneLine(found.what)}` });
  return found;
}

/** What was typed, as labels: numbers name options, a label itself, and anything else is an answer in one's own words. */
export function answersTo(questions: readonly Question[], given: readonly string[], hint: string): string[] {
  if (given.length !== questions.length) {
    const wanted = questions.length === 1 ? "one answer" : `${questions.length} answers, one for each question`;
    throw new FleetError("usage", `It asks for ${wanted}.`, { hint });
  }
  return questions.map(({ text, options, several }, at) => {
    const said = given[at]?.trim() ?? "";
    if (said === "") throw new FleetError("usage", `There is no answer to ${JSON.stringify(text)}.`, { hint });
    const label = options.find((one) => one.label.toLowerCase() === said.toLowerCase())?.label;
    if (!/^\d+(\s*,\s*\d+)*$/.test(said)) return label ?? said;
    const numbers = [...new Set(said.split(",").map(Number))];
    const labels = numbers.flatMap((number) => options[number - 1]?.label ?? []);
    // Options may be numbers themselves: which port, how many. One that is the number of an option is that option.
    if (labels.length < numbers.length && label !== undefined) return label;
    if (labels.length !== numbers.length)
      throw new FleetError("usage", `${JSON.stringify(text)} has the answers 1 to ${options.length}.`, { hint });
    if (labels.length > 1 && !several)
      throw new FleetError("usage", `${JSON.stringify(text)} takes one answer.`, { hint });
    return labels.join(", ");
  });
}

/** For a log of lines: a plan may have many. */
const oneLine = (what: string): string => what.replaceAll(/\s+/g, " ").slice(0, 500);

/**
 * The one question with that id. A person may type its beginning, behind its agent's whole name: `coder`, who waits no more,
 * is not the beginning of what `coder-two` asks. Whoever pressed a button meant the very one, and where that
 * is over, no other that begins like it.
 */
export function questionNamed(
  open: readonly Approval[],
  id: string,
  { whole }: { whole: boolean },
): Approval & { id: string } {
  const exact = open.filter((one) => one.id === id || `${one.agent}/${one.id ?? ""}` === id || one.agent === id);
  const [found, second] =
    exact.length > 0 || whole || !id.includes("/")
      ? exact
      : open.filter((one) => `${one.agent}/${one.id}`.startsWith(id));
  if (found === undefined || second !== undefined || id === "") {
    const why =
      second === undefined
        ? `No open question has the id ${JSON.stringify(id)}: it is answered, or there was none`
        : `More than one open question has an id that begins with ${JSON.stringify(id)}`;
    throw new FleetError("not-found", `${why}.`, { hint: "mosaic fleet approvals" });
  }
  if (found.id === null) {
    throw new FleetError("conflict", `${found.agent} can be answered in its own terminal only.`, {
      hint: `mosaic fleet attach ${found.agent}`,
    });
  }
  return { ...found, id: found.id };
}
