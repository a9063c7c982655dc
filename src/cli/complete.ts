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
  const { agents, accounts } = await namesOf(context);
  for (const [path, command] of root.commands) {
    const offer = (argument: string, names: readonly string[], what: string) => {
      const found = path === "" ? undefined : command.arguments.get(argument);
      if (found !== undefined) found.handler = (add) => names.forEach((name) => add(name, what));
    };
    offer("agent", agents, "agent");
    offer("agents", agents, "agent");
    if (path.startsWith("fleet connect ")) offer("name", accounts, "account");
    // An agent that asks one thing needs no more than its name.
    if (path.startsWith("fleet approvals ")) offer("id", agents, "agent");
  }
  if (asked === "--") root.parse(argv.slice(2));
  else root.setup("mosaic", "mosaic", asked ?? "");
  return 0;
}

async function namesOf({ world }: Context): Promise<{ agents: string[]; accounts: string[] }> {
  try {
    const { agents, connectors } = await readRoster(world.home.roster, world.home.cache, world.home.user);
    return { agents: agents.map(({ name }) => name), accounts: connectors.map(({ account }) => account) };
  } catch {
    return { agents: [], accounts: [] }; // no fleet yet, or a broken roster: completion is no place to say so
  }
}
