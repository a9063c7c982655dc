import { spawn } from "node:child_process";

import { FleetError } from "./errors.ts";
import { findExecutable } from "./find-executable.ts";

/**
 * Becomes another program: same process, same terminal, nothing of mosaic left in between to leak or to wait for.
 * Where Node cannot (before 22.15), runs it and passes its exit code on.
 */
export async function become([file, ...args]: readonly [string, ...string[]], env: NodeJS.ProcessEnv): Promise<number> {
  const path = findExecutable(file, env["PATH"] ?? "");
  if (path === undefined)
    throw new FleetError("not-found", `${file} is not installed.`, { hint: `apt-get install ${file}` });
  if (typeof process.execve === "function") {
    const warn = process.emitWarning.bind(process);
    process.emitWarning = () => {}; // execve is marked experimental; a person attaching need not read that
    process.execve(path, [file, ...args], env);
    process.emitWarning = warn;
  }
  return new Promise((resolve) => {
    const child = spawn(path, args, { stdio: "inherit", env });
    child.on("close", (code) => resolve(code ?? 1));
  });
}
