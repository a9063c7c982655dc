import type { Runtime } from "../contract/agent.ts";
import { FleetError } from "../lib/errors.ts";
import type { Harness } from "./harness.ts";

/** Every adapter there is, loaded only when an agent uses it. */
const adapters: Partial<Record<Runtime, () => Promise<Harness>>> = {
  claude: async () => (await import("./claude/claude.ts")).claude,
  pi: async () => (await import("./pi/pi.ts")).pi,
  codex: async () => (await import("./codex/codex.ts")).codex,
  opencode: async () => (await import("./opencode/opencode.ts")).opencode,
  command: async () => (await import("./command/command.ts")).command,
};

/** Runtimes that this version can run. */
export const supported = Object.keys(adapters) as Runtime[];

/** The adapter for a runtime. */
export async function harnessOf(runtime: Runtime): Promise<Harness> {
  const load = adapters[runtime];
  if (load === undefined) {
    throw new FleetError(
      "conflict",
      `This version of mosaic cannot run ${runtime} agents yet; it runs ${supported.join(", ")}.`,
      {
        hint: "set another runtime in the roster, then: mosaic fleet plan",
      },
    );
  }
  return load();
}
