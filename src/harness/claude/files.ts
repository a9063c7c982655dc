import { readFileSync, realpathSync } from "node:fs";

import type { Agent } from "../../contract/agent.ts";
import { writeAtomic } from "../../lib/atomic.ts";
import { FleetError, systemCode } from "../../lib/errors.ts";
import { quote } from "../../lib/quote.ts";
import type { Desk } from "../harness.ts";

/** What every floor may run in its shell: to report and to look is never more than it was given. */
const reporting = ["send", "ps", "status"].map((verb) => `Bash(mosaic fleet ${verb}:*)`);

/** The floor in Claude Code's own words. What is above it opens Claude Code's own question, and a person answers it. */
export const floors = {
  // `ask` wins over whatever the person's own settings allow.
  read: { mode: "manual", allow: ["Read", "Glob", "Grep", ...reporting], ask: ["Edit", "Write", "NotebookEdit"] },
  edit: { mode: "acceptEdits", allow: ["Read", "Glob", "Grep", ...reporting], ask: [] },
  full: { mode: "bypassPermissions", allow: [], ask: [] },
} as const satisfies Record<Agent["permissions"], { mode: string; allow: readonly string[]; ask: readonly string[] }>;

/** The settings of one agent's Claude Code, beside the person's own, which stay untouched. */
export function settingsOf({ agent, beat }: Desk, statusLine: string, warrantHook: string): string {
  const { allow, ask } = floors[agent.permissions];
  return `${JSON.stringify(
    {
      crossSessionInbound: "accept",
      skipDangerousModePermissionPrompt: true,
      tui: "default", // no alternate screen: the terminal keeps its history
      statusLine: { type: "command", command: statusLine, refreshInterval: beat.intervalS },
      permissions: { allow, ask },
      hooks: { UserPromptSubmit: [{ hooks: [{ type: "command", command: warrantHook, timeout: 5 }] }] },
    },
    null,
    2,
  )}\n`;
}

/**
 * The script that Claude Code runs for its status line, at each interval and after each answer: its own heartbeat. Plain
 * sh and sed, since neither jq nor Node may be on an agent's search path; a beat that cannot be written goes stale.
 */
export function statusLineOf({ agent, fleet, beat }: Desk): string {
  const path = quote(beat.path);
  return `#!/bin/sh
# Written by mosaic fleet at each launch; edits are lost.
umask 077
said=$(cat | tr '\\r\\n' '  ')
pick() { printf '%s' "$said" | sed -n "s/.*$1.*/\\\\1/p"; }
model=$(pick '"model":{[^}]*"id":"\\([^"]*\\)"')
session=$(pick '"session_id":"\\([^"]*\\)"')
version=$(pick '"version":"\\([^"]*\\)"')
context=$(pick '"used_percentage":\\([0-9][0-9]*\\)')
{
  printf 'ts=%s\\npid=%s\\nstatus=ok\\ninterval=%s\\n' "$(date -u +%Y-%m-%dT%H:%M:%SZ)" "$CLAUDE_PID" ${beat.intervalS}
  [ -z "$model" ] || printf 'model=%s\\n' "$model"
  [ -z "$session" ] || printf 'session=%s\\n' "$session"
  [ -z "$version" ] || printf 'version=%s\\n' "$version"
  [ -z "$context" ] || printf 'context=%s%%\\n' "$context"
} 2>/dev/null >${path}.tmp && mv -f ${path}.tmp ${path} 2>/dev/null
printf '%s' ${quote(`${fleet}: ${agent.name}`)}
`;
}

/**
 * Answers beforehand what Claude Code would ask at its start, in the file in which it keeps such answers: that it was
 * introduced, and that this one work folder is trusted. Nothing else in that file changes, and nothing at all where
 * both are known.
 */
export function foreseeDialogs(file: string, workdir: string): void {
  const known = readKnown(file);
  const projects = record(known["projects"]);
  const project = record(projects[workdir]);
  if (known["hasCompletedOnboarding"] === true && project["hasTrustDialogAccepted"] === true) return;
  const trusted = { ...projects, [workdir]: { ...project, hasTrustDialogAccepted: true } };
  const text = `${JSON.stringify({ ...known, hasCompletedOnboarding: true, projects: trusted }, null, 2)}\n`;
  writeAtomic(real(file), text);
}

function readKnown(file: string): Record<string, unknown> {
  let text: string;
  try {
    text = readFileSync(file, "utf8");
  } catch (error) {
    if (systemCode(error) === "ENOENT") return {};
    throw error;
  }
  try {
    return record(JSON.parse(text));
  } catch (error) {
    throw new FleetError("conflict", `${file} is not valid JSON, so Claude Code cannot be told to trust a folder.`, {
      hint: "start claude once by hand; it repairs or replaces the file",
      cause: error,
    });
  }
}

const record = (value: unknown): Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Record<string, unknown>) : {};

/** A link (dotfiles) stays one: what it leads to is replaced. */
function real(path: string): string {
  try {
    return realpathSync(path);
  } catch {
    return path;
  }
}
