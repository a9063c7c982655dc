import { accessSync, constants, openSync, readSync, closeSync, realpathSync, statSync } from "node:fs";
import { isAbsolute, join } from "node:path";

/** The program of that name on the search path, links followed; a path is taken as it is. */
export function findExecutable(name: string, path: string): string | undefined {
  const tries = name.includes("/")
    ? isAbsolute(name)
      ? [name]
      : []
    : path.split(":").map((dir) => join(dir || ".", name));
  for (const file of tries) {
    try {
      accessSync(file, constants.X_OK);
      if (statSync(file).isFile()) return realpathSync(file);
    } catch {
      // not here
    }
  }
  return undefined;
}

/** How to run a CLI: a Node program runs on our Node, since the one on PATH may be too old for it. */
export const programOf = (path: string, node: string): [string, ...string[]] =>
  startsWithNode(path) ? [node, path] : [path];

/** True for a file that starts with a Node shebang. */
function startsWithNode(file: string): boolean {
  const head = Buffer.alloc(64);
  const handle = openSync(file, "r");
  try {
    const length = readSync(handle, head, 0, head.length, 0);
    return /^#!.*\bnode\b/.test(head.toString("latin1", 0, length));
  } finally {
    closeSync(handle);
  }
}
