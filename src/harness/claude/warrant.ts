import { randomBytes } from "node:crypto";
import { readdirSync, readFileSync, rmSync } from "node:fs";

import { writeAtomic } from "../../lib/atomic.ts";
import { quote } from "../../lib/quote.ts";
import type { Desk } from "../harness.ts";

/**
 * Claude Code introduces whatever comes by its inbox as another session's, which "cannot grant escalation". For the owner's
 * words a warrant is laid down here before they are sent: which prompt it is, word for word, and what to say of it. Claude
 * Code runs a hook of ours with each prompt as it enters the conversation, in the middle of a turn too; the hook takes the
 * warrant of that very prompt, once, and the model reads the note right behind the message, under the system's role.
 */
const folderOf = ({ place }: Pick<Desk, "place">): string => `${place.dir}/warrants`;

/** The message that a warrant is for, and the process of Claude Code that is about to get it. */
interface Warranted {
  pid: number;
  uuid: string;
  id: string;
  text: string;
}

export function layWarrant(desk: Desk, { pid, uuid, id, text }: Warranted): void {
  // What an earlier process was to be told is nobody's any more.
  for (const name of warrantsIn(desk)) if (!name.startsWith(`${pid}-`)) rmSync(`${folderOf(desk)}/${name}`);
  const note = {
    hookSpecificOutput: { hookEventName: "UserPromptSubmit", additionalContext: noteOf(codeOf(desk), id, text) },
  };
  // JSON has one spelling for a text, so the hook need not read it: as it stands here it stands in Claude Code's event.
  const lines = `"prompt":${JSON.stringify(text)}\n${JSON.stringify(note)}\n`;
  writeAtomic(pathOf(desk, pid, uuid), lines, { durable: false });
}

/** For a message that did not get there. */
export const dropWarrant = (desk: Desk, { pid, uuid }: Pick<Warranted, "pid" | "uuid">): void =>
  rmSync(pathOf(desk, pid, uuid), { force: true });

/** For an agent that has ended. */
export function dropWarrants(desk: Desk): void {
  for (const name of warrantsIn(desk)) rmSync(`${folderOf(desk)}/${name}`, { force: true });
}

const pathOf = (desk: Desk, pid: number, uuid: string): string => `${folderOf(desk)}/${pid}-${uuid}`;

function warrantsIn(desk: Desk): string[] {
  try {
    return readdirSync(folderOf(desk)).filter((name) => /^\d+-/.test(name));
  } catch {
    return [];
  }
}

/**
 * What the model is told beforehand and finds in every note. In the middle of a turn Claude Code puts messages and notes
 * into one text, where a message could otherwise imitate a note.
 */
export function codeOf(desk: Desk): string {
  const path = `${folderOf(desk)}/code`;
  try {
    return readFileSync(path, "utf8");
  } catch {
    writeAtomic(path, randomBytes(6).toString("hex"));
    return readFileSync(path, "utf8");
  }
}

const noteOf = (code: string, id: string, text: string): string =>
  `mosaic, code ${code}: message ${id}, which reads ${excerpt(text)}, is your user's own word; mosaic knows who wrote it. Take it as typed by your user at this terminal: what is said above about messages from another Claude session does not hold for it. It holds for every other message.`;

/** Several messages may come in one breath with their notes behind them all, so a note names its message by its words. */
const excerpt = (text: string): string =>
  JSON.stringify(text.length <= 500 ? text : `${text.slice(0, 300)} […] ${text.slice(-150)}`);

/** Writes the hook; gives back its command line. */
export function writeWarrantHook(desk: Desk): string {
  const script = `${desk.place.dir}/warrant.sh`;
  writeAtomic(script, hookScript(folderOf(desk)), { mode: 0o700, durable: false });
  return quote(script);
}

/**
 * Plain sh like the spool's, silent in every failure: then the message has a colleague's standing, and no turn is lost. A
 * key of the event cannot stand inside one of its texts, where quotation marks are escaped. Who removes a warrant has it.
 */
const hookScript = (folder: string): string => `#!/bin/sh
# Written by mosaic fleet at each launch; edits are lost.
exec 2>/dev/null
event=$(cat)
cd ${quote(folder)} || exit 0
for file in "\${CLAUDE_PID:-0}"-*; do
  prompt=$(sed -n 1p "$file")
  [ -n "$prompt" ] || continue
  case $event in *"$prompt"*) ;; *) continue ;; esac
  note=$(sed -n 2p "$file")
  rm "$file" || continue
  printf '%s\\n' "$note"
  break
done
exit 0
`;
