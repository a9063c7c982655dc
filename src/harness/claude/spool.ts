import { closeSync, fstatSync, openSync, readSync, statSync } from "node:fs";

import { writeAtomic } from "../../lib/atomic.ts";
import { makeFolder } from "../../lib/folder.ts";
import { quote } from "../../lib/quote.ts";
import type { Desk } from "../harness.ts";
import { askedForS, permissionScript } from "./permission-hook.ts";

/**
 * What Claude Code tells us at the moment it happens. Not the tools: their hooks would run twice for every call and
 * write down what the transcript has already.
 */
const events = [
  "SessionStart",
  "UserPromptSubmit",
  "PreCompact",
  "PostCompact",
  "Stop",
  "StopFailure",
  "SessionEnd",
] as const;

/** How far back the newest event is looked for, and from what size on the spool is begun anew (the old one is kept). */
const near = 64 * 1024;
const full = 1024 * 1024;

/** One line of the spool: what Claude Code handed to its hook, whole, and which process did so when. */
export interface Spooled {
  /** Seconds since 1970. */
  at: number;
  pid: number;
  event: {
    hook_event_name: string;
    prompt_id?: string;
    prompt?: string;
    tool_name?: string;
    tool_input?: Record<string, unknown>;
    error?: string;
    last_assistant_message?: string;
  };
}

export const spoolOf = ({ place }: Pick<Desk, "place">): string => `${place.dir}/events.jsonl`;

/** Writes the plugin that fills the spool; gives back its folder. */
export function writePlugin(desk: Desk, config: string): string {
  const folder = `${desk.place.dir}/plugin`;
  for (const part of [folder, `${folder}/.claude-plugin`, `${folder}/hooks`]) makeFolder(part);
  const [spool, permission] = [`${folder}/spool.sh`, `${folder}/permission.sh`];
  const run = (script: string, timeout: number) => [
    { hooks: [{ type: "command", command: `exec ${quote(script)}`, timeout }] },
  ];
  const spooling = spoolScript(spoolOf(desk));
  writeAtomic(spool, `${spooling}exit 0\n`, { mode: 0o700, durable: false });
  writeAtomic(permission, permissionScript(spooling, desk, config), { mode: 0o700, durable: false });
  writeJson(`${folder}/.claude-plugin/plugin.json`, {
    name: "mosaic",
    version: "1.0.0",
    description: "Tells the fleet what this agent does.",
  });
  writeJson(`${folder}/hooks/hooks.json`, {
    hooks: {
      ...Object.fromEntries(events.map((event) => [event, run(spool, 5)])),
      PermissionRequest: run(permission, askedForS),
    },
  });
  return folder;
}

const writeJson = (path: string, value: object): void =>
  writeAtomic(path, `${JSON.stringify(value, null, 2)}\n`, { durable: false });

/**
 * Plain sh: neither jq nor Node may be on an agent's search path. Claude Code waits for it, and reads what it prints and
 * how it ends, so it is silent and always ends well; a line that cannot be written is lost, and no turn with it.
 */
const spoolScript = (spool: string): string => `#!/bin/sh
# Written by mosaic fleet at each launch; edits are lost.
exec 2>/dev/null
umask 077
spool=${quote(spool)}
event=$(cat)
size=$(wc -c <"$spool") && [ "$size" -gt ${full} ] && mv -f "$spool" "$spool.old"
printf '{"at":%s,"pid":%s,"event":%s}\\n' "$(date +%s)" "\${CLAUDE_PID:-0}" "$event" >>"$spool"
`;

/** The newest event of this process; undefined where it told of none, or of one too long ago to be near the end. */
export function lastEvent(spool: string, pid: number): Spooled | undefined {
  const start = Math.max(0, sizeOf(spool) - near);
  return eventsFrom(spool, start).findLast((one) => one.pid === pid);
}

/** Where the spool ends now. */
export function sizeOf(spool: string): number {
  try {
    return statSync(spool).size;
  } catch {
    return 0;
  }
}

/** The events from a place in the file on. After a rotation the place is beyond the end: then from the beginning. */
export function eventsFrom(spool: string, start: number): Spooled[] {
  let handle: number;
  try {
    handle = openSync(spool, "r");
  } catch {
    return [];
  }
  try {
    const { size } = fstatSync(handle);
    const from = start > size ? 0 : start;
    const bytes = Buffer.alloc(size - from);
    readSync(handle, bytes, 0, bytes.length, from);
    return bytes
      .toString("utf8")
      .split("\n")
      .map(parse)
      .filter((one) => one !== undefined);
  } finally {
    closeSync(handle);
  }
}

function parse(line: string): Spooled | undefined {
  if (line === "") return undefined;
  try {
    const read = JSON.parse(line) as Spooled;
    return typeof read.event.hook_event_name === "string" ? read : undefined;
  } catch {
    return undefined; // cut in the middle, or being written
  }
}
