import type { AgentState } from "../../contract/state.ts";
import type { Line } from "./channel.ts";
import type { Thread, Turn } from "./session.ts";

/** A thread and its newest turn. A thread without a message has none, and Codex refuses the question. */
export async function look(line: Line, threadId: string): Promise<{ thread: Thread; turn: Turn | undefined }> {
  const newest = line
    .call<{ data: Turn[] }>("thread/turns/list", { threadId, limit: 1, itemsView: "notLoaded" })
    .catch(() => ({ data: [] }));
  const { thread } = await line.call<{ thread: Thread }>("thread/read", { threadId });
  return { thread, turn: (await newest).data[0] };
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
