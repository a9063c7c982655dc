import { mkdirSync } from "node:fs";
import { basename, isAbsolute, join } from "node:path";

import { writeAtomic } from "../../lib/atomic.ts";
import { findExecutable } from "../../lib/find-executable.ts";
import { quote } from "../../lib/quote.ts";
import type { Desk } from "../harness.ts";

/** What only OpenCode itself may have. */
const secrets = ["OPENCODE_SERVER_PASSWORD", "OPENCODE_SERVER_USERNAME"] as const;

/**
 * Writes the agent's shell: the real one, without the server's password, which OpenCode hands on to every command (seen).
 * With it an allowed command could answer the agent's own permission prompts, and an `env` would tell it to the model.
 * It bears the real one's name, since OpenCode goes by the name what to call a shell with.
 */
export function writeShell({ place, env }: Pick<Desk, "place" | "env">): string {
  const real = realShell(env);
  const folder = join(place.dir, "shell");
  const path = join(folder, basename(real));
  const own = env["SHELL"] === undefined ? "unset SHELL" : `export SHELL=${quote(env["SHELL"])}`;
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  writeAtomic(path, `#!/bin/sh\nunset ${secrets.join(" ")}\n${own}\nexec ${quote(real)} "$@"\n`, { mode: 0o700 });
  return path;
}

/** Those that OpenCode knows how to call; a `nologin` is none of them. */
const known = new Set(["bash", "dash", "ksh", "sh", "zsh"]);

/** The person's shell, as OpenCode would take it by itself, else bash. */
function realShell(env: Desk["env"]): string {
  const wanted = env["SHELL"] ?? "";
  const fits = isAbsolute(wanted) && known.has(basename(wanted)) && findExecutable(wanted, "") !== undefined;
  return fits ? wanted : (findExecutable("bash", "/usr/local/bin:/usr/bin:/bin") ?? "/bin/sh");
}
