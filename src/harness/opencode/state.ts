import type { AgentState } from "../../contract/state.ts";
import type { Line } from "./channel.ts";
import type { Message, Pending, Status } from "./session.ts";

/** What OpenCode says of itself. The process is one agent's alone, so a subagent's question is the agent's too. */
export interface Seen {
  statuses: Status[];
  permissions: number;
  questions: number;
  newest: Message | undefined;
}

export async function look(line: Line, id: string): Promise<Seen> {
  const [statuses, permissions, questions, messages] = await Promise.all([
    line.get<Record<string, Status>>("/session/status"),
    line.get<Pending[]>("/permission"),
    line.get<Pending[]>("/question"),
    newestOf(line, id, 1),
  ]);
  // An aborted turn's question stays in the list (seen); nobody waits for its answer.
  const open = (pending: Pending[]) => pending.filter(({ sessionID }) => statuses[sessionID] !== undefined).length;
  return {
    statuses: Object.values(statuses),
    permissions: open(permissions),
    questions: open(questions),
    newest: messages.at(-1),
  };
}

/** Answers with no whatever it waits for; an abort alone would leave the question open. */
export async function refusePending(line: Line): Promise<void> {
  for (const { id } of await line.get<Pending[]>("/permission"))
    await line.post(`/permission/${id}/reply`, { reply: "reject" });
  for (const { id } of await line.get<Pending[]>("/question")) await line.post(`/question/${id}/reject`);
}

/** The newest messages of a conversation, oldest first. */
export const newestOf = (line: Line, id: string, count: number): Promise<Message[]> =>
  line.get<Message[]>(`/session/${id}/message?limit=${count}`);

export async function isBusy(line: Line, id: string): Promise<boolean> {
  const status = (await line.get<Record<string, Status>>("/session/status"))[id];
  return status !== undefined && status.type !== "idle";
}

/** What OpenCode's own status means. One that is idle after a refusal is not simply idle. */
export function stateOf({ statuses, permissions, questions, newest }: Seen): AgentState {
  if (permissions > 0) return "waiting-permission";
  if (questions > 0) return "waiting-input";
  // It tries again for many reasons, and names them in words only.
  const retry = statuses.find((status) => status.type === "retry");
  if (retry !== undefined) return isLimit(retry.message) ? "limited" : "working";
  if (statuses.some((status) => status.type === "busy")) return "working";
  const { error } = newest?.info ?? {};
  const status = error?.data?.statusCode;
  if (error?.name === "ProviderAuthError" || status === 401 || status === 403) return "auth-failed";
  return status === 429 || (status !== undefined && isLimit(error?.data?.message ?? "")) ? "limited" : "idle";
}

const isLimit = (message: string): boolean =>
  /\b429\b|rate.?limit|too many requests|quota|(usage|spend\w*|token) limit/i.test(message);
