import { isAbsolute, relative, resolve } from "node:path";

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

function isBelow(folder: string, path: string): boolean {
  const way = relative(folder, resolve(folder, path.replace(/^@/, "")));
  return way !== "" && !way.startsWith("..") && !isAbsolute(way);
}
