import type { Permission } from "../harness.ts";
import type { Line } from "./channel.ts";
import { look } from "./state.ts";

/** What the app-server asks everybody who follows the conversation; the first answer counts. */
const kinds: Readonly<Record<string, string>> = {
  "item/commandExecution/requestApproval": "a command",
  "item/fileChange/requestApproval": "a change of files",
};

interface Asked extends Permission {
  /** By which this line must answer. */
  request: number;
}

/** The approvals that wait. Whoever joins the conversation is asked for them again; to leave without a word is no answer. */
export async function waitingApprovals(line: Line, threadId: string): Promise<Asked[]> {
  const { thread } = await look(line, threadId);
  if (thread.status.type !== "active" || !thread.status.activeFlags.includes("waitingOnApproval")) return [];
  const asked: Asked[] = [];
  const first = new Promise<void>((heard) => {
    // Never satisfied: the others come in the same breath as the first.
    void line.told((method, params, request) => {
      const kind = kinds[method];
      if (kind === undefined || request === undefined || params["threadId"] !== threadId) return undefined;
      if (!asked.some((one) => one.request === request)) asked.push({ request, ...permissionOf(kind, params) });
      heard();
      return undefined;
    });
  });
  await line.call("thread/resume", { threadId, excludeTurns: true });
  await first;
  // Whatever is asked before the answer to one more question is all there is.
  await line.call("thread/read", { threadId });
  return asked.toSorted((a, b) => a.at - b.at);
}

/** Answers one of them; false where nobody waits for it any more. */
export async function decide(
  line: Line,
  threadId: string,
  permission: string,
  decision: "allow" | "deny",
): Promise<boolean> {
  const asked = (await waitingApprovals(line, threadId)).find((one) => one.id === permission);
  if (asked === undefined) return false;
  const resolved = line.told(
    (method, params) => (method === "serverRequest/resolved" && params["requestId"] === asked.request) || undefined,
  );
  line.reply(asked.request, { decision: decision === "allow" ? "accept" : "decline" });
  return resolved;
}

function permissionOf(kind: string, params: Readonly<Record<string, unknown>>): Permission {
  const text = (name: string) => (typeof params[name] === "string" ? params[name] : undefined);
  const at = params["startedAtMs"];
  return {
    // One step may ask more than once, and says so with an id of its own for each.
    id: text("approvalId") ?? text("itemId") ?? "",
    what: text("command") ?? kind,
    cwd: text("cwd"),
    reason: text("reason"),
    at: typeof at === "number" ? at : 0,
  };
}
