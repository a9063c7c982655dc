import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

import { FleetError, systemCode, wordSystemFault } from "../lib/errors.ts";
import { parseChecked } from "./load.ts";
import { Preset } from "./schema.ts";

/** A preset as it can be chosen: its text (comments and all) and what it says. */
export interface FoundPreset {
  name: string;
  title: string;
  summary: string;
  source: "shipped" | "yours";
  path: string;
  text: string;
  preset: Preset;
}

/**
 * Every preset: shipped ones in their order, then the user's. A user's preset of a shipped one's name replaces it. One
 * that cannot be read is told of and left out, so that a bad file never takes the others away.
 */
export function findPresets(folders: { shipped: string; yours: string }): {
  presets: FoundPreset[];
  broken: FleetError[];
} {
  const broken: FleetError[] = [];
  const read = (folder: string, source: FoundPreset["source"]) =>
    filesIn(folder).flatMap((file): FoundPreset[] => {
      try {
        return [readPreset(join(folder, file), source)];
      } catch (error) {
        if (error instanceof FleetError) broken.push(error);
        else throw error;
        return [];
      }
    });
  const yours = read(folders.yours, "yours");
  const shipped = read(folders.shipped, "shipped").filter((one) => !yours.some((own) => own.name === one.name));
  const order = ["general", "coding", "research", "hybrid"];
  const rank = (one: FoundPreset) => (order.includes(one.name) ? order.indexOf(one.name) : order.length);
  return {
    presets: [...shipped, ...yours].toSorted((a, b) => rank(a) - rank(b) || a.name.localeCompare(b.name)),
    broken,
  };
}

/** Reads one preset file. Two orchestrators are refused; none is mended when a roster is made of it. */
function readPreset(path: string, source: FoundPreset["source"]): FoundPreset {
  const text = readFileSync(path, "utf8");
  const { data } = parseChecked(Preset, text, path);
  const doubled = data.agents.filter((agent) => agent.role === "orchestrator");
  if (doubled.length > 1) {
    const names = doubled.map((agent) => agent.name).join(" and ");
    throw new FleetError("invalid-roster", `${path}: ${names} are both orchestrator; exactly one may be`, {
      hint: `edit ${path}`,
    });
  }
  return {
    name: data.preset.name,
    title: data.preset.title,
    summary: data.preset.summary.trim(),
    source,
    path,
    text,
    preset: data,
  };
}

function filesIn(folder: string): string[] {
  try {
    return readdirSync(folder)
      .filter((file) => /^[^.].*\.ya?ml$/.test(file))
      .toSorted();
  } catch (error) {
    if (systemCode(error) === "ENOENT") return [];
    throw wordSystemFault(error, `read ${folder}`);
  }
}
