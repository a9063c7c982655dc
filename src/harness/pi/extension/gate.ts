import { lstatSync, realpathSync } from "node:fs";
import { basename, dirname, isAbsolute, join, relative, resolve } from "node:path";

const looking = new Set(["read", "grep", "find", "ls", "fleet_send", "fleet_status"]);
const changing = new Set(["edit", "write"]);

/**
 * The permission floor, enforced inside Pi, which has no permissions of its own. Answers why a tool may not run, or
 * undefined. An unknown tool is refused below `full`: fail closed. It is a gate for a well-meaning model, not a
 * sandbox: whoever may use the shell may do what the user may.
 */
export function refusal(
  floor: "read" | "edit" | "full",
  workdir: string,
  call: { tool: string; input: Readonly<Record<string, unknown>> },
): string | undefined {
  if (floor === "full" || looking.has(call.tool)) return undefined;
  if (floor === "edit" && changing.has(call.tool)) {
    const path = call.input["path"];
    if (typeof path === "string" && isBelow(workdir, path)) return undefined;
    return `This agent may change files below ${workdir} only.`;
  }
  return `This agent's permissions are "${floor}": ${call.tool} is not allowed. Tell whoever asked, with fleet_send.`;
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
