import type { Answer } from "../harness.ts";
import { Refused, type Line } from "./channel.ts";
import type { Asked, Message, Question, Status } from "./session.ts";

/** What OpenCode does, and what it waits for. The process is one agent's alone, so a subagent's question is the agent's too. */
interface Open {
  statuses: Status[];
  permissions: Asked[];
  questions: Question[];
}

export interface Seen extends Open {
  /** The newest messages, oldest first. */
  messages: Message[];
}

/** The last message may be a person's, the one before it a turn that has used nothing yet. */
const enough = 3;

export async function look(line: Line, id: string): Promise<Seen> {
  const [open, messages] = await Promise.all([lookForOpen(line), newestOf(line, id, enough)]);
  return { ...open, messages };
}

export async function lookForOpen(line: Line): Promise<Open> {
  const [statuses, permissions, questions] = await Promise.all([
    line.get<Record<string, Status>>("/session/status"),
    line.get<Asked[]>("/permission"),
    line.get<Question[]>("/question"),
  ]);
  const open = async <T extends Asked | Question>(asked: T[]): Promise<T[]> => {
    const atWork = asked.filter(({ sessionID }) => statuses[sessionID] !== undefined);
    const waits = await Promise.all(atWork.map((one) => isWaiting(line, one)));
    return atWork.filter((_, at) => waits[at]);
  };
  const [openPermissions, openQuestions] = await Promise.all([open(permissions), open(questions)]);
  return { statuses: Object.values(statuses), permissions: openPermissions, questions: openQuestions };
}

/** An aborted turn's question stays in the list (seen), through the turns after it too; nobody waits for its answer. */
async function isWaiting(line: Line, { sessionID, tool }: Asked | Question): Promise<boolean> {
  if (tool === undefined) return true;
  try {
    const { info } = await line.get<Message>(`/session/${sessionID}/message/${tool.messageID}`);
    return info.time.completed === undefined;
  } catch (error) {
    if (error instanceof Refused) return true;
    throw error;
  }
}

/** Answers with no whatever it waits for; an abort alone would leave the question open. */
export async function refusePending(line: Line): Promise<void> {
  for (const { id } of await line.get<Asked[]>("/permission"))
    await line.post(`/permission/${id}/reply`, { reply: "reject" });
  for (const { id } of await line.get<Question[]>("/question")) await line.post(`/question/${id}/reject`);
}

/** The newest messages of a conversation, oldest first. */
export const newestOf = (line: Line, id: string, count: number): Promise<Message[]> =>
  line.get<Message[]>(`/session/${id}/message?limit=${count}`);

/** Of these the user's messages that no answer of the model is to, nor to one after them. */
export function unreadIn(newest: readonly Message[]): Message[] {
  const answered = new Set(newest.map(({ info }) => info.parentID));
  const last = newest.findLastIndex(({ info }) => answered.has(info.id));
  return newest.slice(last + 1).filter(({ info }) => info.role === "user");
}

export async function isBusy(line: Line, id: string): Promise<boolean> {
  const status = (await line.get<Record<string, Status>>("/session/status"))[id];
  return status !== undefined && status.type !== "idle";
}

/** What of the port's answer follows from what OpenCode says. */
type Word = Pick<Extract<Answer, { kind: "state" }>, "state" | "why" | "until">;

/** What OpenCode's own status means. One that is idle after a refusal is not simply idle. */
export function wordOf({ statuses, permissions, questions, messages }: Seen): Word {
  const [asked] = permissions;
  if (asked !== undefined)
    return { state: "waiting-permission", why: `permission: ${asked.permission} ${aboutOf(asked)}` };
  const [question] = questions;
  if (question !== undefined) return { state: "waiting-input", why: wordsOf(question.questions) };
  const retry = statuses.find((status) => status.type === "retry");
  if (retry !== undefined) return retryWord(retry);
  const newest = messages.at(-1)?.info;
  if (statuses.some((status) => status.type === "busy"))
    return newest?.summary === true && newest.time.completed === undefined
      ? { state: "working", why: "compacting the conversation" }
      : { state: "working" };
  const { error } = newest ?? {};
  // That somebody has ended a turn is no fault.
  if (newest === undefined || error === undefined || error.name === "MessageAbortedError") return { state: "idle" };
  const why = error.data?.message ?? error.name;
  const status = error.data?.statusCode;
  if (error.name === "ProviderAuthError" || status === 401 || status === 403) return { state: "auth-failed", why };
  if (status !== 429 && !(status !== undefined && isLimit(why))) return { state: "idle", why };
  const seconds = Number(error.data?.responseHeaders?.["retry-after"]);
  const over = newest.time.completed ?? newest.time.created;
  return { state: "limited", why, ...(seconds > 0 && { until: over + seconds * 1_000 }) };
}

export const wordsOf = (questions: Question["questions"]): string => questions.map((one) => one.question).join(" ");

/** The command or the file in question; patterns alone would hide how commands hang together. */
export const aboutOf = ({ metadata, patterns }: Asked): string => {
  const { command, filepath } = metadata ?? {};
  return [command, filepath].find((one) => typeof one === "string") ?? patterns.join(", ");
};

/** It tries again for many reasons, and names them in words only. */
function retryWord({ attempt, message, next, action }: Extract<Status, { type: "retry" }>): Word {
  if (isLimit(message) || /limit/.test(action?.reason ?? "")) return { state: "limited", why: message, until: next };
  return { state: "working", why: `trying again (${attempt}): ${message}` };
}

const isLimit = (message: string): boolean =>
  /\b429\b|rate.?limit|too many requests|quota|(usage|spend\w*|token) limit/i.test(message);

/** How full the context was at its last answer, in percent; not known right after a compaction. */
export function contextOf({ messages }: Pick<Seen, "messages">, limits: Record<string, number>): number | undefined {
  const last = messages.findLast(({ info }) => info.role === "assistant" && (info.tokens?.output ?? 0) > 0)?.info;
  const limit = limits[`${last?.providerID}/${last?.modelID}`];
  if (last?.tokens === undefined || last.summary === true || limit === undefined || limit <= 0) return undefined;
  const { input, output, reasoning, cache } = last.tokens;
  return Math.round(((input + output + reasoning + cache.read + cache.write) / limit) * 100);
}
