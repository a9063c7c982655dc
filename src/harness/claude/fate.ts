import { newLines } from "../../lib/new-lines.ts";
import type { Spooled } from "./spool.ts";

/** How much of a conversation's end is looked at. What is asked about is the newest thing in it. */
const most = 1024 * 1024;

/** A call of a tool, as its hook was told of it, and in whose conversation. */
export type Called = Spooled["event"] & { transcript_path?: string; agent_id?: string };

interface Row {
  timestamp?: string;
  message?: {
    content?: string | { type?: string; id?: string; name?: string; input?: unknown; tool_use_id?: string }[];
  };
  attachment?: { type?: string; toolUseID?: string };
}

/** What the conversation says of a call that was asked about; its hook does not know by which id that goes. */
export interface Fate {
  /** It has run, or was refused: nobody asks any more. */
  isOver: boolean;
  /** Since then Claude Code has done with it as a hook said. */
  isDecidedSince: (at: number) => boolean;
}

export function fateOf(called: Called): Fate {
  const calls = new Set<string>();
  const ended = new Set<string>();
  const decided: { id: string; at: number }[] = [];
  const input = JSON.stringify(called.tool_input);
  for (const { timestamp, message, attachment } of rowsOf(called)) {
    if (attachment?.type === "hook_permission_decision")
      decided.push({ id: attachment.toolUseID ?? "", at: Date.parse(timestamp ?? "") });
    for (const part of typeof message?.content === "object" ? message.content : []) {
      if (part.type === "tool_result") ended.add(part.tool_use_id ?? "");
      if (part.type === "tool_use" && part.name === called.tool_name && JSON.stringify(part.input) === input)
        calls.add(part.id ?? "");
    }
  }
  return {
    isOver: calls.size > 0 && [...calls].every((id) => ended.has(id)),
    isDecidedSince: (at) => decided.some((one) => calls.has(one.id) && one.at >= at),
  };
}

/** A subagent has a conversation of its own. */
function rowsOf({ transcript_path: main = "", agent_id: subagent }: Called): Row[] {
  const file = subagent === undefined ? main : main.replace(/\.jsonl$/, `/subagents/agent-${subagent}.jsonl`);
  const lines = newLines(file, undefined, most)?.lines ?? [];
  return lines.filter((line) => /"tool_use|"hook_permission_decision"/.test(line)).flatMap(parse);
}

function parse(line: string): Row[] {
  try {
    return [JSON.parse(line) as Row];
  } catch {
    return []; // cut where the looking began
  }
}
