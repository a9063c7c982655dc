import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { exec } from "../../lib/exec.ts";

/**
 * What of our protocol the installed Codex lacks, by the schema that it writes of itself (0.1 s): the protocol is marked
 * experimental, and a method that is gone would show in the middle of a delivery.
 */
export async function lacking(program: readonly [string, ...string[]], path: string): Promise<string[]> {
  const folder = mkdtempSync(join(tmpdir(), "mosaic-codex-"));
  try {
    const args = ["app-server", "generate-json-schema", "--experimental", "--out", folder];
    const ran = await exec([...program, ...args], { env: { PATH: path, HOME: folder }, timeoutMs: 15_000 });
    if (ran.code !== 0) return ["app-server generate-json-schema"];
    return Object.entries(usedWords).flatMap(([file, words]) => {
      const text = readOr(join(folder, `${file}.json`));
      return words.split(" ").flatMap((word) => (text.includes(`"${word}"`) ? [] : [`${file}: ${word}`]));
    });
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function readOr(file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch {
    return ""; // then all of it is missing
  }
}

/** What the adapter says and reads, by the file of Codex's schema that must have it. */
const usedWords: Readonly<Record<string, string>> = {
  ClientRequest:
    "initialize thread/start thread/name/set thread/resume thread/read thread/loaded/list thread/turns/list thread/items/list thread/queue/list thread/queue/add thread/queue/start turn/start turn/steer turn/interrupt",
  ServerNotification: "item/completed serverRequest/resolved",
  ServerRequest: "item/commandExecution/requestApproval item/fileChange/requestApproval item/tool/requestUserInput",
  CommandExecutionRequestApprovalParams: "threadId itemId approvalId startedAtMs command cwd reason",
  CommandExecutionRequestApprovalResponse: "decision accept decline",
  FileChangeRequestApprovalResponse: "decision accept decline",
  ToolRequestUserInputParams: "threadId itemId questions id question options label description isSecret",
  ToolRequestUserInputResponse: "answers",
  "v2/ThreadStartParams": "cwd model sandbox approvalPolicy developerInstructions",
  "v2/ThreadResumeParams": "threadId excludeTurns",
  "v2/ThreadReadResponse":
    "status activeFlags waitingOnApproval waitingOnUserInput notLoaded systemError updatedAt path",
  "v2/ThreadTurnsListResponse":
    "data codexErrorInfo httpStatusCode usageLimitExceeded rateLimitExceeded unauthorized startedAt completedAt inProgress failed",
  "v2/ThreadItemsListParams": "threadId cursor limit sortDirection desc",
  "v2/ThreadItemsListResponse": "data item clientId nextCursor",
  "v2/ThreadQueueListResponse": "data clientUserMessageId",
  "v2/ThreadQueueAddParams": "threadId input clientUserMessageId",
  "v2/ThreadQueueStartParams": "threadId",
  "v2/TurnStartParams": "threadId input clientUserMessageId",
  "v2/TurnSteerParams": "threadId input clientUserMessageId expectedTurnId",
  "v2/TurnInterruptParams": "threadId turnId",
  "v2/ServerRequestResolvedNotification": "requestId threadId",
};
