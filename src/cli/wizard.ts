import { intro, note, select, text } from "@clack/prompts";

import { harnesses, type Runtime } from "../contract/agent.ts";
import type { Platform, Wiring } from "../contract/connector.ts";
import type { Answers } from "../fleet/compose.ts";
import { checkName, checkWorkdir, presetNamed, suggestName, type Situation } from "../fleet/init.ts";
import { supported } from "../harness/index.ts";
import { askWiring } from "./ask-wiring.ts";
import type { Context } from "./context.ts";
import { agreed, answered, complaint, output } from "./questions.ts";

/** Asks what was not told by a flag. Ctrl-C at any question ends it, and nothing was written. */
export async function ask(context: Context, situation: Situation, told: Answers): Promise<Answers> {
  const { current, presets } = situation;
  const roster = current?.roster;
  intro(
    roster === undefined
      ? "A new fleet. Nothing is written before you have seen it."
      : `Fleet ${roster.fleet}: what shall change?`,
    { output },
  );
  const type =
    told.type ??
    presetNamed(
      situation,
      await answered(
        select({
          message: "What is the fleet for?",
          options: presets.map((one) => ({ value: one.name, label: one.name, hint: one.title })),
          initialValue: roster?.preset ?? "coding",
          output,
        }),
      ),
    );
  if (current === undefined) note(type.summary, type.name, { output });
  const workdir = told.workdir ?? (await askFolder(context, situation));
  const name = told.name ?? (await askName(roster?.fleet ?? suggestName(workdir ?? "fleet")));
  const leader = roster?.agents.find((agent) => agent.role === "orchestrator");
  const orchestratorRuntime =
    told.orchestratorRuntime ?? (await askRuntime("Which harness runs the orchestrator?", situation, leader?.runtime));
  const runtime = told.runtime ?? (await askRuntime("Which harness runs the workers?", situation, undefined));
  const connector =
    (await wiringTold(told.connector)) ??
    (roster === undefined || roster.connectors.length === 0 ? await askChat() : undefined);
  return { ...told, type, workdir, name, orchestratorRuntime, runtime, connector };
}

/** Told by flags; of which service alone, the rest is asked. */
const wiringTold = async (told: Wiring | undefined): Promise<Wiring | undefined> =>
  told !== undefined && told.guild === undefined && told.channels.length === 0 && told.owners.length === 0
    ? askWiring(told.platform, { url: told.url })
    : told;

/** Which chat shall reach the orchestrator, and exactly what that one needs. The token is asked for last, after the roster was seen. */
async function askChat(): Promise<Wiring | undefined> {
  const platform = await answered(
    select<Platform>({
      message: "From which chat shall the orchestrator be reached?",
      options: [
        { value: "console", label: "this terminal", hint: "mosaic fleet chat; always there, needs no account" },
        { value: "discord", label: "Discord", hint: "a bot of yours, its token, a server and a channel" },
      ],
      initialValue: "console",
      output,
    }),
  );
  if (platform === "console") return undefined;
  return askWiring(platform);
}

/** The last question. */
export const confirmWrite = (path: string): Promise<boolean> => agreed(`Write ${path}?`, true);

async function askFolder(context: Context, { current }: Situation): Promise<string | undefined> {
  const own = current && /^\s+workdir: *(\S.*?)\s*$/m.exec(current.text)?.[1];
  const initialValue = own ?? context.cwd;
  const folder = await answered(
    text({
      message: "In which folder do the agents work?",
      initialValue,
      validate: (value) => complaint(() => checkWorkdir(context.world, value ?? "", context.cwd)),
      output,
    }),
  );
  return folder === own ? undefined : checkWorkdir(context.world, folder, context.cwd);
}

const askName = (initialValue: string): Promise<string> =>
  answered(
    text({
      message: "What is the fleet's name?",
      initialValue,
      validate: (value) => complaint(() => checkName(value ?? "")),
      output,
    }),
  );

async function askRuntime(
  message: string,
  { installed, current }: Situation,
  now: Runtime | undefined,
): Promise<Runtime | undefined> {
  const choices = harnesses.filter((runtime) => supported.includes(runtime));
  const keep = current === undefined ? "what the preset likes best of what is installed" : "as it is";
  const picked = await answered(
    select<Runtime | "keep">({
      message,
      options: [
        { value: "keep", label: keep },
        ...choices.map((runtime) => ({
          value: runtime,
          label: runtime,
          hint: installed.includes(runtime) ? "installed" : "not installed",
        })),
      ],
      initialValue: "keep",
      output,
    }),
  );
  return picked === "keep" || picked === now ? undefined : picked;
}
