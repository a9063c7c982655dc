import { closest, distance } from "fastest-levenshtein";

import { FleetError } from "../lib/errors.ts";
import type { Observed } from "./observe.ts";

/** The agent of exactly that name; otherwise says which name was probably meant. Never guesses by prefix. */
export function namedAgent(agents: readonly Observed[], name: string): Observed {
  const found = agents.find((one) => one.agent.name === name);
  if (found !== undefined) return found;
  const names = agents.map((one) => one.agent.name);
  const begun = name === "" ? undefined : names.find((one) => one.startsWith(name));
  const near = begun ?? (names.length === 0 ? undefined : closest(name, names));
  const meant = near !== undefined && (near === begun || distance(name, near) <= 2) ? ` Did you mean ${near}?` : "";
  throw new FleetError("not-found", `No agent is named ${JSON.stringify(name)}.${meant}`, { hint: "mosaic fleet ps" });
}
