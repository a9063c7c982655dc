/** What a child process said. `code` is undefined when a signal or the deadline ended it. */
export interface Ran {
  code: number | undefined;
  stdout: string;
  stderr: string;
}

/**
 * Runs a program to its end. Never through a shell; text travels on stdin, so nothing in it can be an option.
 * A missing program answers code 127, as a shell would say it. `env` replaces the environment, it does not add to it.
 */
export function exec(
  argv: readonly [string, ...string[]],
  options: { input?: string; env?: NodeJS.ProcessEnv; cwd?: string; timeoutMs?: number; signal?: AbortSignal } = {},
): Promise<Ran> {
  const [file, ...args] = argv;
  const { spawn } = process.getBuiltinModule("node:child_process"); // 3 ms that a command without children need not pay
  return new Promise((resolve) => {
    const child = spawn(file, args, {
      stdio: [options.input === undefined ? "ignore" : "pipe", "pipe", "pipe"],
      cwd: options.cwd,
      env: options.env ?? {},
      timeout: options.timeoutMs ?? 30_000,
      killSignal: "SIGKILL",
      ...(options.signal && { signal: options.signal }),
    });
    let [stdout, stderr] = ["", ""];
    child.stdout?.setEncoding("utf8").on("data", (part: string) => (stdout += part));
    child.stderr?.setEncoding("utf8").on("data", (part: string) => (stderr += part));
    child.stdin?.on("error", () => undefined).end(options.input); // a child that does not read is its own affair
    child.on("error", (error) => resolve({ code: 127, stdout, stderr: stderr || error.message }));
    child.on("close", (code) => resolve({ code: code ?? undefined, stdout, stderr }));
  });
}
