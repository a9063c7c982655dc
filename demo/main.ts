import { join } from "node:path";

import { cliFolder, needPackages, project } from "../scripts/machine.ts";
import { startScriptedModel } from "../test/model/server.ts";
import { scriptOf } from "./script.ts";
import { setStage } from "./stage.ts";

/** `npm run demo`: a whole fleet of real Pi agents in a throw-away home. `-- --once` ends by itself. */

const once = process.argv.includes("--once");
const color = process.stdout.isTTY && !process.env["NO_COLOR"];
const say = (text: string) => process.stdout.write(color ? `\n\u001b[1m${text}\u001b[0m\n` : `\n${text}\n`);
const typed = (args: readonly string[]) =>
  say(`$ mosaic ${args.map((arg) => (/[^\w./~-]/.test(arg) ? JSON.stringify(arg) : arg)).join(" ")}`);

if (!needPackages({ tmux: "tmux" })) process.exit(1);
const piBin = cliFolder("pi", { install: true });
if (piBin === undefined) process.exit(1);

const ended = new AbortController();
for (const name of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(name, () => ended.abort());
const interrupted = new Promise<"interrupted">((resolve) =>
  ended.signal.addEventListener("abort", () => resolve("interrupted")),
);

const answer = Promise.withResolvers<string>();
const model = await startScriptedModel({ rules: scriptOf(answer.resolve) });
const stage = setStage(model.url, piBin);
let code = 1;
try {
  code = await Promise.race([play(), interrupted.then(() => 130)]);
  if (code === 0 && !once) {
    say("The fleet runs until you press Ctrl-C; then everything of it is removed. Meanwhile, in another terminal:");
    const node = join(project, "node_modules", ".bin", "node");
    const line = `${node} ${join(project, "bin", "mosaic.js")} --mosaic-home ${join(stage.home, ".config", "mosaic")} fleet`;
    for (const verb of ["chat", "attach mos", "watch coder", "ps --watch", "explain coder"])
      process.stdout.write(`  ${line} ${verb}\n`);
    await interrupted;
  }
} finally {
  say("Stopping the fleet and removing its home…");
  await stage.strike();
  await model.close();
}
process.exit(code);

async function play(): Promise<number> {
  say("Mosaic Fleet demo. The agents are real (Pi), their terminals and messages too. The model is a script: it says");
  process.stdout.write(`what demo/script.ts tells it, on ${model.url}; no key and no network. Home: ${stage.home}\n`);
  const show = async (...args: string[]): Promise<boolean> => {
    typed(["fleet", ...args]);
    return (await stage.mosaic(["fleet", ...args])).code === 0;
  };
  if (
    !(await show(
      "init",
      "--type",
      "coding",
      "--name",
      "demo",
      "--workdir",
      ".",
      "--runtime",
      "pi",
      "--orchestrator-runtime",
      "pi",
      "--yes",
    ))
  )
    return 1;
  typed(["fleet", "start"]);
  if (!(await startShowing())) return 1;
  if (!(await show("ps"))) return 1;
  if (!(await show("chat", "How many TypeScript files does this project have? Let coder look."))) return 1;
  const limit = new Promise<undefined>((resolve) => setTimeout(resolve, 60_000, undefined).unref());
  if ((await Promise.race([answer.promise, limit])) === undefined) {
    process.stderr.write("No answer came within a minute.\n");
    await show("logs");
    return 1;
  }
  return (await show("tail", "coder")) && (await show("tail", "mos")) ? 0 : 1;
}

/** Starts the fleet and prints each agent's state as it changes. */
async function startShowing(): Promise<boolean> {
  const started = stage.mosaic(["fleet", "start"]);
  const done = new AbortController();
  void started.then(() => done.abort());
  const seen = new Map<string, string>();
  while (!done.signal.aborted && !ended.signal.aborted) {
    const { out } = await stage.mosaic(["fleet", "ps", "--json"], { quiet: true });
    if (out === "") continue;
    const { agents } = JSON.parse(out) as { agents: { name: string; state: string; evidence: { source: string } }[] };
    for (const agent of agents) {
      if (seen.get(agent.name) === agent.state) continue;
      seen.set(agent.name, agent.state);
      if (agent.state !== "stopped")
        process.stdout.write(`  ${agent.name}: ${agent.state} (evidence: ${agent.evidence.source})\n`);
    }
  }
  return (await started).code === 0;
}
