import type { AgentState } from "../../contract/state.ts";
import { Refused, type Line } from "./channel.ts";
import type { Thread, Turn } from "./session.ts";
import type { Usage } from "./usage.ts";

/** A thread and its newest turn. A thread without a message has none, and Codex refuses the question. */
export async function look(line: Line, threadId: string): Promise<{ thread: Thread; turn: Turn | undefined }> {
  const newest = line
    .call<{ data: Turn[] }>("thread/turns/list", { threadId, limit: 1, itemsView: "notLoaded" })
    .catch(() => ({ data: [] }));
  const { thread } = await line.call<{ thread: Thread }>("thread/read", { threadId });
  return { thread, turn: (await newest).data[0] };
}

/** Whether somebody must answer before it goes on. */
export const isWaiting = ({ status }: Pick<Thread, "status">): boolean =>
  status.type === "active" && status.activeFlags.some((flag) => flag.startsWith("waitingOn"));

/** The conversations beside its own: its subagents', which its own says nothing of. */
export async function besides(line: Line, threadId: string): Promise<Thread[]> {
  const read = (id: string) => line.call<{ thread: Thread }>("thread/read", { threadId: id }).catch(refusedOnly);
  const loaded = await line.call<{ data: string[] }>("thread/loaded/list", { limit: 100 }).catch(refusedOnly);
  const others = await Promise.all((loaded?.data ?? []).filter((id) => id !== threadId).map(read));
  return others.flatMap((other) => (other === undefined ? [] : [other.thread]));
}

/** Those of them that wait for somebody. */
export const waitingBeside = async (line: Line, threadId: string): Promise<Thread[]> =>
  (await besides(line, threadId)).filter(isWaiting);

/** A server that refuses to tell of a thread knows nothing of it (yet); every other error is one. */
export function refusedOnly(error: unknown): undefined {
  if (!(error instanceof Refused)) throw error;
}

/** What Codex's own status means. An idle Codex whose last turn was refused is not simply idle. */
export function stateOf({ status }: Pick<Thread, "status">, turn: Turn | undefined): AgentState {
  if (status.type === "notLoaded") return "starting";
  if (status.type === "active") {
    if (status.activeFlags.includes("waitingOnApproval")) return "waiting-permission";
    return status.activeFlags.includes("waitingOnUserInput") ? "waiting-input" : "working";
  }
  if (turn?.status !== "failed") return "idle";
  const why = JSON.stringify(turn.error?.codexErrorInfo ?? "");
  if (/unauthorized|"httpStatusCode":40[13]/.test(why)) return "auth-failed";
  return /usageLimitExceeded|rateLimitExceeded|"httpStatusCode":429/.test(why) ? "limited" : "idle";
}

/** What Codex waits for, or why its last turn failed, in its own words. */
export function whyOf({ status }: Pick<Thread, "status">, turn: Turn | undefined): string | undefined {
  if (status.type === "active") return status.activeFlags.join(", ") || undefined;
  return turn?.status === "failed" ? turn.error?.message : undefined;
}

/**
 * When a limit ends, in ms: by the account's limits where one is used up, else by the time of day in Codex's message,
 * which is the next such time after the turn has failed. Undefined where the provider has not said it.
 */
export function limitEnd(turn: Turn | undefined, usage: Usage | undefined): number | undefined {
  const used = (usage?.limits ?? []).flatMap(({ usedPercent, resetsAt }) =>
    usedPercent >= 100 && resetsAt !== undefined ? [resetsAt * 1_000] : [],
  );
  const failedAt = (turn?.completedAt ?? 0) * 1_000;
  const ends = Math.max(0, ...used.filter((at) => at > failedAt));
  return ends > 0 ? ends : saidIn(turn?.error?.message ?? "", failedAt);
}

function saidIn(message: string, failedAt: number): number | undefined {
  const [, day, time] = /try again at (?:(\w{3} \d+)(?:st|nd|rd|th), )?((?:\d{4} )?\d+:\d\d [AP]M)/.exec(message) ?? [];
  if (time === undefined || failedAt === 0) return undefined;
  if (day !== undefined) {
    const at = Date.parse(`${day}, ${time}`);
    return Number.isNaN(at) ? undefined : at;
  }
  const at = Date.parse(`${new Date(failedAt).toDateString()} ${time}`);
  if (Number.isNaN(at)) return undefined;
  // It names the minute only, and may mean tomorrow's.
  return at + 60_000 > failedAt ? at : at + 86_400_000;
}
