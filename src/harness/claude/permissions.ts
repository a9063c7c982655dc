import { existsSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs";

import type { Decision, Question } from "../../contract/command.ts";
import { writeAtomic } from "../../lib/atomic.ts";
import { FleetError } from "../../lib/errors.ts";
import { withLock } from "../../lib/lock.ts";
import { isLiving, signal } from "../../lib/proc.ts";
import { until } from "../../lib/wait.ts";
import type { Desk, Permission } from "../harness.ts";
import { fateOf, type Called } from "./fate.ts";
import { questionsOf } from "./permission-hook.ts";
import { readConversation } from "./place.ts";
import { readSession, type Session } from "./registry.ts";

/** How long after its dialog a question may be written, and how long before it. Seen: 20 ms, both. */
const appearsMs = 1_000;
const aheadMs = 3_000;
/** How long Claude Code may take to do as it was answered. Seen: 50 ms. */
const takenMs = 5_000;

/** By this tool it hands in a plan, and leaves its plan mode for the mode that it was in before. */
const planning = "ExitPlanMode";

/** And by this one it asks for answers. */
const conversing = "AskUserQuestion";

interface Process {
  pid: number;
  started: string;
}

/** A question as our hook wrote it down: who asks, and which process waits for the answer. */
interface Written {
  claude: Process;
  hook: Process;
  /** A subagent's, for whom no dialog opens while the hook waits. */
  background: boolean;
  event: Called & { cwd?: string };
}

interface Asked extends Written {
  id: string;
  /** ms since 1970. */
  at: number;
  /** Where its answer goes. */
  answer: string;
  remove: () => void;
}

/** What the agent waits to be allowed, oldest first. */
export async function permissions(desk: Desk): Promise<Permission[]> {
  const session = sessionOf(desk);
  // Only a dialog that has just come up is worth waiting for: this is asked again and again.
  const withinMs = Math.min(appearsMs, Math.max(0, (session?.statusUpdatedAt ?? 0) + appearsMs - Date.now()));
  const isKnown = () => {
    const now = sessionOf(desk);
    return !isAsking(now) || dialogQuestions(desk, now).length > 0 ? true : undefined;
  };
  const known = await until(isKnown, { withinMs });
  const open = openQuestions(desk).map(permissionOf);
  if (known || session === undefined) return open;
  const { waitingFor: what = "a permission question", statusUpdatedAt: at = Date.now() } = session;
  return [...open, { id: null, what, cwd: undefined, reason: undefined, at }].toSorted((a, b) => a.at - b.at);
}

/** What subagents in the background wait to be allowed, which nothing in the registry tells; the oldest first. */
export function askedBehind(desk: Pick<Desk, "place">, session: Session): Permission[] {
  return questionsOfSession(desk, session).filter(isWaitingBehind).map(permissionOf);
}

/** Decides it, and waits until Claude Code took that; the dialog in the terminal closes. What is allowed is so this once. */
export async function answerPermission(desk: Desk, permission: string, decision: Decision): Promise<void> {
  const { agent, place } = desk;
  const hint = `mosaic fleet explain ${agent.name}`;
  const late = () => new FleetError("conflict", `${agent.name} does not wait for that permission any more.`, { hint });
  await withLock(`${place.dir}/answer.lock`, { what: `an answer to ${agent.name}` }, async () => {
    const before = sessionOf(desk)?.statusUpdatedAt;
    const asked = openQuestions(desk).find(({ id }) => id === permission);
    if (asked === undefined) throw late();
    const at = Date.now();
    writeAtomic(asked.answer, `${wordsOf(asked, decision)}\n`);
    // Again and again: one that comes just before it begins to wait is not waited for.
    const ended = await until(() => (isLiving(asked.hook) ? void signal(asked.hook.pid, "SIGUSR1") : true), {
      withinMs: takenMs,
    });
    const taken = !existsSync(asked.answer);
    rmSync(asked.answer, { force: true });
    if (ended && !taken) throw late(); // put away, or taken over, in the terminal meanwhile
    // There is no dialog that would close, and nothing else that Claude Code shows of it.
    if (ended && asked.background) return;
    const now = await until(
      () => {
        const session = sessionOf(desk);
        const since = session?.statusUpdatedAt;
        // Where another dialog comes up behind this one it may go on waiting.
        const isNext = isAsking(session) && dialogQuestions(desk, session).length > 0;
        return since !== undefined && (since !== before || isNext) ? { since } : undefined;
      },
      { withinMs: takenMs },
    );
    // The terminal was first, by less than it takes to look.
    if (now !== undefined && now.since !== before && now.since < at) throw late();
    // Among several at once that is all one sees: the dialog may have been put away before, and the next one is as old.
    const isTaken = () => (fateOf(asked.event).isDecidedSince(at) ? true : undefined);
    if (ended && now?.since === before && !(await until(isTaken, { withinMs: takenMs }))) throw late();
    if (ended && now !== undefined) return;
    throw new FleetError("unreachable", `${agent.name} was told, and its dialog is still open.`, { hint });
  });
}

/** What Claude Code reads of a hook that decides for it. */
function wordsOf({ event }: Asked, decision: Decision): string {
  const { tool_name: tool, tool_input: input = {} } = event;
  const allowed = (updatedInput?: object) => ({ behavior: "allow", updatedInput });
  const decided = () => {
    if (typeof decision === "object") {
      const answers = questionsIn(input).map(({ text }, at) => [text, decision.answers[at]]);
      return allowed({ ...input, answers: Object.fromEntries(answers) as object });
    }
    // A plan that is allowed without being repeated stays unanswered in the terminal.
    if (decision === "allow") return allowed(tool === planning ? input : undefined);
    const did = tool === conversing ? "answer" : "allow it";
    return { behavior: "deny", message: `A person was asked and did not ${did}.` };
  };
  return JSON.stringify({ hookSpecificOutput: { hookEventName: "PermissionRequest", decision: decided() } });
}

/** Empty where it is not what Claude Code asks with today. */
function questionsIn({ questions }: Record<string, unknown>): Question[] {
  const text = (value: unknown) => (typeof value === "string" ? value : "");
  return records(questions).map(({ question, options, multiSelect }) => ({
    text: text(question),
    options: records(options).map(({ label, description }) => ({
      label: text(label),
      about: text(description) || null,
    })),
    several: multiSelect === true,
  }));
}

const records = (value: unknown): Record<string, unknown>[] =>
  Array.isArray(value)
    ? value.filter((one): one is Record<string, unknown> => typeof one === "object" && one !== null)
    : [];

/** What earlier processes of this agent have left: files, and a hook that outlived a killed Claude Code. */
export function sweepQuestions(desk: Pick<Desk, "place">): void {
  for (const { claude, hook, remove } of allQuestions(desk)) {
    if (isLiving(hook) && isLiving(claude)) continue;
    if (isLiving(hook)) signal(hook.pid, "SIGTERM");
    remove();
  }
}

/** `input needed` is how it calls a question back; other dialogs (its settings, a choice of model) have names of their own. */
const isAsking = (session: Session | undefined): session is Session =>
  session?.status === "waiting" &&
  (session.waitingFor === "input needed" || session.waitingFor?.includes("permission") === true);

function sessionOf({ place }: Desk): Session | undefined {
  const config = readConversation(place.session)?.config;
  return config === undefined ? undefined : readSession(config, place);
}

/** Whatever can be answered now, oldest first. */
function openQuestions(desk: Desk): Asked[] {
  sweepQuestions(desk);
  const session = sessionOf(desk);
  if (session === undefined) return [];
  const asked = isAsking(session) ? dialogQuestions(desk, session).map(({ id }) => id) : [];
  return questionsOfSession(desk, session).filter((one) => isWaitingBehind(one) || asked.includes(one.id));
}

/**
 * The questions that its open dialog asks, one after the other: calls that run beside each other are asked about at once,
 * and each can be answered. Hooks of questions that the terminal has answered may live on: theirs are older than the
 * dialog, or, where the same one goes on to ask the next, the conversation says what became of the call.
 */
function dialogQuestions(desk: Desk, session: Session): Asked[] {
  const since = (session.statusUpdatedAt ?? 0) - aheadMs;
  const waiting = questionsOfSession(desk, session).filter(
    ({ background, at, hook, answer }) => !background && at >= since && isLiving(hook) && !existsSync(answer),
  );
  return waiting.length < 2 ? waiting : waiting.filter(({ event }) => !fateOf(event).isOver);
}

/** As long as its hook waits its Claude Code waits for that. */
const isWaitingBehind = ({ background, hook, answer }: Asked): boolean =>
  background && isLiving(hook) && !existsSync(answer);

/** Oldest first. */
const questionsOfSession = (desk: Pick<Desk, "place">, session: Session): Asked[] =>
  allQuestions(desk)
    .filter(({ claude }) => claude.pid === session.pid && claude.started === session.procStart)
    .toSorted((a, b) => a.at - b.at);

function allQuestions(desk: Pick<Desk, "place">): Asked[] {
  const folder = questionsOf(desk);
  let names: string[];
  try {
    names = readdirSync(folder);
  } catch {
    return [];
  }
  return names.flatMap((name) => {
    const [, id] = /^(.+)\.json$/.exec(name) ?? [];
    if (id === undefined) return [];
    const [file, answer] = [`${folder}/${name}`, `${folder}/${id}.answer`];
    try {
      const written = JSON.parse(readFileSync(file, "utf8")) as Written;
      const remove = () => [file, answer].forEach((path) => rmSync(path, { force: true }));
      return [{ id, at: statSync(file).mtimeMs, ...written, answer, remove }];
    } catch {
      return []; // answered just now
    }
  });
}

function permissionOf({ id, at: since, event }: Asked): Permission & { id: string } {
  const { tool_name: tool = "a tool", tool_input: input = {}, cwd } = event;
  const at = Math.round(since);
  const text = (key: string) => (typeof input[key] === "string" ? input[key] : undefined);
  const questions = tool === conversing ? questionsIn(input) : [];
  if (questions.length > 0) {
    const what = questions.map((one) => one.text).join(" ");
    return { id, what, cwd, reason: undefined, at, questions };
  }
  if (tool === planning) {
    const reason = "a plan to approve; it then leaves plan mode";
    return { id, what: `${tool} ${text("plan") ?? ""}`.trim(), cwd, reason, at };
  }
  // Of a tool that we do not know, what is called a command or a path need not be all that matters.
  const known = isOwn.test(tool) ? keys.map(text).find((one) => one !== undefined) : undefined;
  const isOutside = input["dangerouslyDisableSandbox"] === true;
  const reason = [...(isOutside ? ["outside its sandbox"] : []), text("description") ?? []].flat().join(": ");
  return { id, what: `${tool} ${known ?? JSON.stringify(input)}`, cwd, reason: reason === "" ? undefined : reason, at };
}

/** Claude Code's own tools, and what says which command, file or page they are used on. */
const isOwn = /^(Bash|Read|Edit|MultiEdit|Write|NotebookEdit|WebFetch|Glob|Grep)$/;
const keys = ["command", "file_path", "notebook_path", "url"];
