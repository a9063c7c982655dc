import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import { expect, test } from "vitest";

import { scratchFolder } from "../../../test/scratch.ts";
import { processOf } from "../../lib/proc.ts";
import { askedBehind } from "./permissions.ts";

/** What a question of this very process says that it is about. */
function asked(tool: string, input: Record<string, unknown>) {
  const dir = scratchFolder("questions");
  const me = { pid: process.pid, started: processOf(process.pid)?.started ?? "" };
  const event = { hook_event_name: "PermissionRequest", tool_name: tool, tool_input: input };
  mkdirSync(join(dir, "questions"));
  writeFileSync(join(dir, "questions", "1.json"), JSON.stringify({ claude: me, hook: me, background: true, event }));
  const [one] = askedBehind({ place: { dir } as never }, { pid: me.pid, procStart: me.started });
  return [one?.what, one?.reason];
}

test("a question says all that matters of the call", () => {
  expect(asked("Bash", { command: "ls", description: "Look", timeout: 5 })).toEqual(["Bash ls", "Look"]);
  expect(asked("Write", { file_path: "/x", content: "long" })).toEqual(["Write /x", undefined]);
  expect(asked("mcp__db__run", { command: "select 1", host: "prod" })).toEqual([
    'mcp__db__run {"command":"select 1","host":"prod"}',
    undefined,
  ]);
  const outside = { command: "ls", description: "Look", dangerouslyDisableSandbox: true };
  expect(asked("Bash", outside)).toEqual(["Bash ls", "outside its sandbox: Look"]);
});
