import { FleetError } from "./errors.ts";
import { findExecutable } from "./find-executable.ts";

/**
 * Becomes another program: same process, same terminal, nothing of mosaic left in between to leak or to wait for.
 * Throws where that program is not installed; otherwise never returns.
 */
export function become([file, ...args]: readonly [string, ...string[]], env: NodeJS.ProcessEnv): never {
  const path = findExecutable(file, env["PATH"] ?? "");
  if (path === undefined) {
    throw new FleetError("not-found", `${file} is not installed.`, { hint: `apt-get install ${file}` });
  }
  process.emitWarning = () => {}; // execve is marked experimental; a person attaching need not read that
  if (process.execve === undefined) throw new FleetError("conflict", "This system cannot replace a process.");
  return process.execve(path, [file, ...args], env);
}
