import { existsSync } from "node:fs";
import { join } from "node:path";

import { namePattern } from "../contract/agent.ts";
import { presetNamed } from "../fleet/init.ts";
import { writeAtomic } from "../lib/atomic.ts";
import { FleetError } from "../lib/errors.ts";
import { painter, table } from "../lib/text.ts";
import { setValue } from "../roster/edit.ts";
import { findPresets } from "../roster/preset.ts";
import type { Context } from "./context.ts";
import { printJson } from "./print-json.ts";

const look = ({ world }: Context) => findPresets({ shipped: world.assets.presets, yours: world.home.presets });

/** `preset list` */
export async function list(context: Context, options: { json?: true | undefined }): Promise<number> {
  const { presets, broken } = look(context);
  for (const error of broken) context.err(`Left out: ${error.message}\n`);
  if (options.json) {
    const rows = presets.map(({ name, title, summary, source, path, preset }) => ({
      name,
      title,
      summary,
      source,
      path,
      agents: preset.agents.map((agent) => agent.name),
    }));
    printJson(context, { version: 1, presets: rows });
    return 0;
  }
  const paint = painter(context.color);
  context.out(
    table(
      [
        ["PRESET", "WHOSE", "AGENTS", "WHAT FOR"].map((word) => paint("bold", word)),
        ...presets.map((one) => [
          one.name,
          one.source,
          one.preset.agents.map((agent) => agent.name).join(" "),
          one.title,
        ]),
      ],
      context.columns,
    ),
  );
  return 0;
}

/** `preset show` */
export async function show(context: Context, name: string): Promise<number> {
  context.out(presetNamed(look(context), name).text);
  return 0;
}

/** `preset copy`: never over a file that is there. */
export async function copy(context: Context, from: string, to: string): Promise<number> {
  const source = presetNamed(look(context), from);
  if (!namePattern.test(to)) {
    throw new FleetError(
      "usage",
      `${JSON.stringify(to)} is not a name: 1 to 32 of a-z, 0-9 and -, beginning with a letter.`,
      { hint: `mosaic fleet preset copy ${from} my-${from}` },
    );
  }
  const path = join(context.world.home.presets, `${to}.yaml`);
  if (context.by.kind === "agent") {
    throw new FleetError("conflict", "An agent may not write presets.", { hint: "ask the person who owns the fleet" });
  }
  if (from === to || existsSync(path))
    throw new FleetError("conflict", `There is a preset of that name already.`, {
      hint: `mosaic fleet preset copy ${from} my-${from}`,
    });
  writeAtomic(path, setValue(source.text, ["preset", "name"], to));
  context.err(`Wrote ${path}\nNext: edit it, then: mosaic fleet init --type ${to}\n`);
  return 0;
}
