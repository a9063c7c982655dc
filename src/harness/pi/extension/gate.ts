import { lstatSync, realpathSync } from "node:fs";
import { basename, dirname, isAbsolute, join, relative, resolve } from "node:path";

const looking = new Set(["read", "grep", "find", "ls", "fleet_send", "fleet_status"]);
const changing = new Set(["edit", "write"]);

/** To report and to look is never more than it was given; nothing in these words can start anything else. */
const reporting = /^mosaic fleet (?:send|ps|status)(?: +(?:[\w@%+=:,./-]+|'[^']*'|"[^"$`\\]*"))*$/;

/** One call of a tool, as Pi is about to run it. */
interface Call {
  tool: string;
  input: Readonly<Record<string, unknown>>;
}

/**
 * The permission floor, enforced inside Pi, which has no permissions of its own. Answers why a person must be asked
 * first, or undefined where the floor covers the call. Below `full` that is an unknown tool too: fail closed. It is a
 * gate for a well-meaning model, not a sandbox: what runs in the shell may do what the user may.
 */
export function beyond(floor: "read" | "edit" | "full", workdir: string, call: Call): string | undefined {
  if (floor === "full" || looking.has(call.tool)) return undefined;
  const { path, command } = call.input;
  if (call.tool === "bash" && typeof command === "string" && reporting.test(command)) return undefined;
  if (floor === "edit" && changing.has(call.tool)) {
    if (typeof path === "string" && isBelow(workdir, path)) return undefined;
    return `without asking it may change files below ${workdir} only`;
  }
  return `its permissions are "${floor}"`;
}

/** What a call is about, whole: what is not shown cannot be judged. */
export function wordsOf({ tool, input }: Call): string {
  const key = tool === "bash" ? "command" : "path";
  const isKnown = tool === "bash" || looking.has(tool) || changing.has(tool);
  const on = isKnown && typeof input[key] === "string" ? input[key] : undefined;
  return `${tool} ${on ?? JSON.stringify(input)}`;
}

/**
 * Pi itself understands `~`, `@`, `file:` and unusual blanks in a path; whatever it might read otherwise than we do is
 * refused. Links are followed, so that a link inside the folder leads nowhere else.
 */
function isBelow(folder: string, path: string): boolean {
  const plain = path.replace(/^@/, "");
  if (/^[~@]|^file:|[^\S ]|^ | $/i.test(plain)) return false;
  const way = relative(real(folder), real(resolve(folder, plain)));
  return way !== "" && !way.startsWith("..") && !isAbsolute(way);
}

/** The path with the links of its existing part followed. */
function real(path: string): string {
  try {
    return realpathSync(path);
  } catch {
    // A link to nowhere would be written through; what is not there at all is taken as it is named.
    if (isLink(path)) return "/";
    return dirname(path) === path ? path : join(real(dirname(path)), basename(path));
  }
}

function isLink(path: string): boolean {
  try {
    return lstatSync(path).isSymbolicLink();
  } catch {
    return false;
  }
}
