import tab from "@bomb.sh/tab/commander";
import type { Command } from "@commander-js/extra-typings";

import { FleetError } from "../lib/errors.ts";
import { readRoster } from "../roster/cache.ts";
import type { Context } from "./context.ts";

const shells = ["bash", "zsh", "fish"];

/** `complete SHELL` prints the script; the script calls `complete -- WORDS` for every Tab. */
export async function complete(program: Command, argv: readonly string[], context: Context): Promise<number> {
  const asked = argv[1];
  if (asked !== "--" && !shells.includes(asked ?? "")) {
    throw new FleetError("usage", `Completions are for ${shells.join(", ")}.`, { hint: "mosaic complete bash" });
  }
  // The wrapper adds a `complete` command of its own and finds every verb, option and choice in the program itself.
  const own = program.commands.findIndex((command) => command.name() === "complete");
  if (own >= 0) (program.commands as Command[]).splice(own, 1);
  const root = tab(program as never);
  const names = await agentNames(context);
  for (const [path, command] of root.commands) {
    for (const argument of ["agent", "agents"]) {
      const found = command.arguments.get(argument);
      if (found !== undefined && path !== "") found.handler = (add) => names.forEach((name) => add(name, "agent"));
    }
  }
  if (asked === "--") root.parse(argv.slice(2));
  else root.setup("mosaic", "mosaic", asked ?? "");
  return 0;
}

async function agentNames({ world }: Context): Promise<string[]> {
  try {
    return (await readRoster(world.home.roster, world.home.cache, world.home.user)).agents.map((agent) => agent.name);
  } catch {
    return []; // no fleet yet, or a broken roster: completion is no place to say so
  }
}
