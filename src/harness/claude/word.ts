import type { AgentState } from "../../contract/state.ts";
import type { Ending, Fault } from "./ending.ts";
import type { Session } from "./registry.ts";
import type { Spooled } from "./spool.ts";

/** What Claude Code wrote of itself, in three places. */
export interface Evidence {
  session: { [Key in "pid" | "startedAt" | "status" | "waitingFor" | "statusUpdatedAt"]: Session[Key] | undefined };
  ending: Ending;
  /** The newest event of this process. */
  event: Spooled | undefined;
  /** What a subagent in the background waits to be allowed: no dialog is open for it, and the registry does not tell. */
  behind?: string | undefined;
}

/**
 * What follows from it. The registry decides whether it works, waits or is idle, since it changes with every change, an
 * interruption too; the transcript says how the last turn went; the spool only what the other two leave open.
 */
export function wordOf(
  { session, ending, event, behind }: Evidence,
  now: number,
): { state: AgentState; why?: string; until?: number; takes?: true } {
  const last = event?.event;
  if (behind !== undefined && (session.status === "busy" || session.status === "idle"))
    return { state: "waiting-permission", why: oneLine(`a subagent asks: ${behind}`), takes: true };
  switch (session.status) {
    case "busy":
      if (last?.hook_event_name === "PreCompact") return { state: "working", why: "compacting the conversation" };
      return ending.requests > 1
        ? { state: "working", why: `trying again: request ${ending.requests}` }
        : { state: "working" };
    case "waiting": {
      const { waitingFor } = session;
      const state = waitingFor?.includes("permission") ? "waiting-permission" : "waiting-input";
      // Where several ask, the newest event need not be this dialog's.
      const isOne = last?.hook_event_name === "PermissionRequest" && behind === undefined;
      const asked = isOne ? askedIn(last) : undefined;
      const why = [waitingFor, asked].filter((part) => part !== undefined).join(": ");
      return { state, ...(why !== "" && { why }) };
    }
    case "idle": {
      const fault = ending.fault ?? (last?.hook_event_name === "StopFailure" ? faultOf(event) : undefined);
      return fault === undefined ? { state: "idle" } : afterFault(fault, session.startedAt ?? 0, now);
    }
    case undefined:
    default:
      return { state: "unknown" }; // a word of a version that we do not know
  }
}

/** A fault of an earlier process is over with it, but a limit goes on until it ends; then nothing is in the way. */
function afterFault(fault: Fault, startedAt: number, now: number): ReturnType<typeof wordOf> {
  const why = oneLine(fault.text);
  const { resetsAt: until } = fault;
  if (isLimit(fault)) {
    if (until === undefined) return fault.at >= startedAt ? { state: "limited", why } : { state: "idle" };
    return until > now ? { state: "limited", why, until } : { state: "idle" };
  }
  if (!(fault.at >= startedAt)) return { state: "idle" };
  return { state: isRefusal(fault) ? "auth-failed" : "idle", why };
}

const isLimit = ({ kind, status }: Fault): boolean => kind === "rate_limit" || status === 429;
const isRefusal = ({ kind, status }: Fault): boolean =>
  kind === "authentication_failed" || status === 401 || status === 403;

function faultOf(spooled: Spooled | undefined): Fault | undefined {
  if (spooled === undefined) return undefined;
  const { error: kind, last_assistant_message: text = "" } = spooled.event;
  // Its second has begun at the latest when the process had: rounded up, so that it is not taken for an earlier one's.
  return { kind, status: undefined, text, at: spooled.at * 1_000 + 999 };
}

/** What it asks about: a question in its own words, else the tool and what it would be used on. */
function askedIn({ tool_name: tool, tool_input: input = {} }: Spooled["event"]): string | undefined {
  const question = (input["questions"] as { question?: string }[] | undefined)?.[0]?.question;
  if (question !== undefined) return oneLine(question);
  const on = ["command", "file_path", "url", "pattern"].map((key) => input[key]).find((one) => typeof one === "string");
  return tool === undefined ? undefined : oneLine(on === undefined ? tool : `${tool} ${on}`);
}

function oneLine(text: string): string {
  const line = text.replaceAll(/\s+/g, " ").trim();
  return line.length > 200 ? `${line.slice(0, 199)}…` : line;
}
