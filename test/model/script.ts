import { fingerprint } from "./ask.ts";
import type { Ask } from "./ask.ts";
import { parseDirectives } from "./directives.ts";
import type { Directive } from "./directives.ts";
import { recitalOf } from "./recital.ts";
import type { Deed, Reply, Usage } from "./reply.ts";

/** Decides the reply to one ask. */
export type Script = (ask: Ask) => Reply;

/** What the model answers to a text without directives: proof, byte for byte, of what arrived. */
export function echoOf(text: string): string {
  const { len, sha256 } = fingerprint(text);
  return `echo len=${len} sha256=${sha256} `;
}

/**
 * The default script: performs the directives in the last user message, one a model call. Where it stands is read off
 * the conversation itself (`ask.answered`), so a harness may be killed and resumed. Only failures leave no trace in a
 * conversation; they are counted here, per text, for as long as the script lives.
 */
export function directiveScript(): Script {
  const failures = new Map<string, number>();
  return (ask) => {
    const directives = parseDirectives(ask.lastUser);
    if (directives.length === 0) return { say: echoOf(ask.lastUser) };
    let steps = ask.answered;
    let usage: Usage | undefined;
    for (const [at, directive] of directives.entries()) {
      if (directive.verb === "tokens") {
        usage = directive.usage;
        continue;
      }
      const times = failureTimes(directive, at === directives.length - 1);
      if (times !== undefined) {
        const key = `${at} ${ask.lastUser}`;
        const spent = failures.get(key) ?? 0;
        if (spent >= times) continue;
        failures.set(key, spent + 1);
      } else if (steps > 0) {
        steps -= 1;
        usage = undefined;
        continue;
      }
      return { ...perform(directive, ask), usage };
    }
    return { say: finalText(ask), usage };
  };
}

/** How many calls a directive fails, or undefined when it is no failure. */
function failureTimes(directive: Directive, last: boolean): number | undefined {
  if (directive.verb === "error") return directive.times;
  // A hang with something after it is passed once its client has gone and come back; at the end it hangs every time.
  return directive.verb === "hang" ? (last ? Infinity : 1) : undefined;
}

function finalText(ask: Ask): string {
  const result = ask.toolResults.at(-1);
  return result === undefined ? "done" : `done\n${Array.from(result).slice(0, 200).join("")}`;
}

function perform(directive: Exclude<Directive, { verb: "tokens" }>, ask: Ask): Deed {
  switch (directive.verb) {
    case "say":
      return { say: directive.text };
    case "slow":
      return { slow: directive.text, ms: directive.ms };
    case "recite":
      return { say: recitalOf(directive.length) };
    case "hang":
      return { hang: true };
    case "error":
      return { error: directive.status, retryAfter: directive.retryAfter };
    case "tool":
      return { tool: directive.name, args: directive.args };
    case "bash":
      return runCommand(ask, directive.command);
    case "write":
      return writeFile(ask, directive.path, directive.text);
    case "wrong":
      return { say: `This directive makes no sense: ${directive.source}` };
  }
}

function runCommand(ask: Ask, command: string): Deed {
  const shell = ["Bash", "bash", "exec_command", "shell_command", "shell"]
    .map((name) => ask.offers.find((offer) => offer.name === name))
    .find((offer) => offer !== undefined);
  if (shell === undefined) return { say: `No shell tool was offered (offered: ${ask.tools.join(", ") || "none"})` };
  const tool = shell.name;
  if (tool === "exec_command") return { tool, args: { cmd: command } };
  // Codex's older `shell` takes an argument vector.
  if (tool === "shell") return { tool, args: { command: ["bash", "-lc", command] } };
  // OpenCode refuses a bash call without a description.
  return { tool, args: shell.fields.includes("description") ? { command, description: "Scripted step" } : { command } };
}

function writeFile(ask: Ask, path: string, content: string): Deed {
  const write = ask.offers.find((offer) => offer.name === "Write" || offer.name === "write");
  if (write === undefined) {
    // Codex has no write tool: its shell does the same.
    return runCommand(ask, `mkdir -p "$(dirname ${quote(path)})" && printf %s ${quote(content)} > ${quote(path)}`);
  }
  const field = ["file_path", "filePath"].find((name) => write.fields.includes(name)) ?? "path";
  return { tool: write.name, args: { [field]: path, content } };
}

const quote = (text: string): string => `'${text.replaceAll("'", `'\\''`)}'`;
