import type { Decision } from "../../contract/command.ts";
import type { Permission } from "../harness.ts";
import type { Line } from "./channel.ts";
import type { Thread } from "./session.ts";
import { isWaiting, look, waitingBeside } from "./state.ts";

/** What the app-server asks everybody who follows the conversation; the first answer counts. */
const kinds: Readonly<Record<string, string>> = {
  "item/commandExecution/requestApproval": "a command",
  "item/fileChange/requestApproval": "a change of files",
};

/** And what it asks them to answer in words: in its plan mode, or where its settings let it in any mode. */
const conversing = "item/tool/requestUserInput";

interface Asked {
  /** By which this line must answer. */
  request: number;
  permission: Permission;
  /** Of questions: by which names Codex wants the answers. */
  names?: string[];
}

/** The approvals and questions that wait, a subagent's too, oldest first. */
export async function waitingApprovals(line: Line, threadId: string): Promise<Asked[]> {
  const [{ thread }, beside] = await Promise.all([look(line, threadId), waitingBeside(line, threadId)]);
  const waiting = isWaiting(thread) ? [thread, ...beside] : beside;
  const asked = await Promise.all(waiting.map((one) => askedIn(line, one)));
  return asked.flat().toSorted((a, b) => a.permission.at - b.permission.at);
}

/** Whoever joins a conversation is asked again for what waits there; to leave without a word is no answer. */
async function askedIn(line: Line, { id: threadId, updatedAt }: Pick<Thread, "id" | "updatedAt">): Promise<Asked[]> {
  const asked: Asked[] = [];
  const first = new Promise<void>((heard) => {
    // Never satisfied: the others come in the same breath as the first.
    void line.told((method, params, request) => {
      const kind = kinds[method];
      const isQuestion = method === conversing;
      if ((kind === undefined && !isQuestion) || request === undefined || params["threadId"] !== threadId)
        return undefined;
      // It says of a question not since when it waits; nothing has happened in the conversation since.
      const found = isQuestion
        ? questionsOf(params, updatedAt * 1_000)
        : { permission: permissionOf(kind ?? "", params) };
      if (!asked.some((one) => one.request === request)) asked.push({ request, ...found });
      heard();
      return undefined;
    });
  });
  await line.call("thread/resume", { threadId, excludeTurns: true });
  await first;
  // Whatever is asked before the answer to one more question is all there is.
  await line.call("thread/read", { threadId });
  return asked;
}

/** Answers one of them; false where nobody waits for it any more. */
export async function decide(line: Line, threadId: string, permission: string, decision: Decision): Promise<boolean> {
  const asked = (await waitingApprovals(line, threadId)).find((one) => one.permission.id === permission);
  const words = asked && wordsOf(asked, decision);
  if (asked === undefined || words === undefined) return false;
  const resolved = line.told(
    (method, params) => (method === "serverRequest/resolved" && params["requestId"] === asked.request) || undefined,
  );
  line.reply(asked.request, words);
  return resolved;
}

/** Undefined where that is no answer to it. */
function wordsOf({ names }: Asked, decision: Decision): object | undefined {
  if (names === undefined)
    return typeof decision === "object" ? undefined : { decision: decision === "allow" ? "accept" : "decline" };
  if (decision === "allow") return undefined;
  // Of a denial the model is shown that there are no answers, and goes on.
  const given = decision === "deny" ? [] : decision.answers;
  return { answers: Object.fromEntries(given.map((one, at) => [names[at], { answers: [one] }])) };
}

/** What of a question of Codex we read. */
interface Put {
  id: string;
  question: string;
  options?: { label: string; description: string }[] | null;
  /** Its terminal hides what is typed. */
  isSecret?: boolean;
}

/** A secret is asked for in its terminal only: a chat would keep it. */
function questionsOf(params: Readonly<Record<string, unknown>>, at: number): Omit<Asked, "request"> {
  const { itemId, questions } = params as { itemId: string; questions: Put[] };
  const permission = {
    id: questions.some(({ isSecret }) => isSecret === true) ? null : itemId,
    what: questions.map(({ question }) => question).join(" "),
    cwd: undefined,
    reason: undefined,
    at,
    questions: questions.map(({ question, options }) => ({
      text: question,
      options: (options ?? []).map(({ label, description }) => ({ label, about: description || null })),
      several: false,
    })),
  };
  return { permission, names: questions.map(({ id }) => id) };
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
