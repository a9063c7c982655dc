import type { Ask } from "../test/model/ask.ts";
import type { Reply } from "../test/model/reply.ts";
import type { ScriptedModel } from "../test/model/server.ts";

type Rule = ScriptedModel["rules"][number];

const question = "How many TypeScript files are below this folder? Please answer me.";
const isAgent = (ask: Ask, name: string) => ask.system.includes(`You are ${name},`);
const isFrom = (ask: Ask, name: string) => new RegExp(`^Message \\S+ from ${name},`).test(ask.lastUser);
const run = (command: string): Reply => ({ tool: "bash", args: { command } });

/**
 * What the model says in the demo, written down: the orchestrator hands a question on, the worker looks and answers, the
 * orchestrator reports. Only the words are scripted; harness, tools, messages and terminals are the real ones.
 */
export function scriptOf(answered: (text: string) => void): Rule[] {
  return [
    {
      when: (ask) => isAgent(ask, "mos") && isFrom(ask, "coder"),
      steps: [
        (ask) => run(`mosaic fleet report "coder looked for you. The answer: ${lastLine(ask.lastUser)}"`),
        () => ({ say: "I told you in the chat." }),
      ],
      after: ({ ask }) => answered(lastLine(ask.lastUser)),
    },
    {
      when: (ask) => isAgent(ask, "mos"),
      steps: [
        () => run(`mosaic fleet send coder "${question}"`),
        () => ({ say: "I asked coder, and will tell you what comes back." }),
      ],
    },
    {
      when: (ask) => isAgent(ask, "coder") && isFrom(ask, "mos"),
      steps: [
        () => run("find . -name '*.ts' | wc -l"),
        (ask) => run(`mosaic fleet send mos "There are ${ask.toolResults[0]?.trim() ?? "?"} TypeScript files."`),
        () => ({ say: "I told mos." }),
      ],
    },
  ];
}

/** The last line of what was written, out of the frame in which it came. */
const lastLine = (text: string): string =>
  text
    .trimEnd()
    .split("\n")
    .findLast((line) => !/^=== \w+ ===$/.test(line)) ?? "";
