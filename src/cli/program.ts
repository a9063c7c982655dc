import { Argument, Command, CommanderError, Option } from "@commander-js/extra-typings";

import { harnesses, roles } from "../contract/agent.ts";
import { exitCodes } from "../lib/errors.ts";
import { addChatVerbs } from "./chat-verbs.ts";
import type { Context } from "./context.ts";
import { chatServices, duration, examples, jsonFlag, wholeNumber } from "./options.ts";
import { printJson } from "./print-json.ts";

/** Parses a command line and carries it out. Every verb's code is loaded when it is called, not before. */
export async function runProgram(argv: readonly string[], context: Context): Promise<number> {
  let code = 0;
  const program = makeProgram(context, (exit) => (code = exit));
  try {
    if (argv[0] === "complete") return await (await import("./complete.ts")).complete(program, argv, context);
    if (argv.length === 0 || (argv.length === 1 && argv[0] === "fleet")) {
      const shown = argv.length === 0 ? program : program.commands.find((command) => command.name() === "fleet");
      shown?.outputHelp();
      return 0;
    }
    await program.parseAsync([...argv], { from: "user" });
    return code;
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    if (error.exitCode === 0) return 0;
    if (error.code === "commander.excessArguments") await suggestVerb(program, argv, context);
    context.err(`Next: ${["mosaic", ...verbOf(program, argv)].join(" ")} --help\n`); // what is wrong commander has said
    return exitCodes.usage;
  }
}

/** A verb that does something by itself takes a misspelt verb of its own for an argument too many; commander is silent then. */
async function suggestVerb(program: Command, argv: readonly string[], context: Context): Promise<void> {
  const { distance } = await import("fastest-levenshtein");
  const path = verbOf(program, argv);
  const command = path.reduce<Command | undefined>(
    (at, word) => at?.commands.find((one) => one.name() === word) as Command | undefined,
    program,
  );
  const given = argv.slice(path.length);
  const near = command?.commands
    .map((one) => one.name())
    .find((name) => given.some((word) => distance(word, name) <= 2));
  if (near !== undefined) context.err(`(Did you mean ${near}?)\n`);
}

/** As much of a command line as names a command. */
function verbOf(program: Command, argv: readonly string[]): string[] {
  const [word = "", ...rest] = argv;
  const command = program.commands.find((one) => one.name() === word);
  return command === undefined ? [] : [word, ...verbOf(command as Command, rest)];
}

/** Every verb that works, and none that does not. Completions and help are made from this. */
function makeProgram(context: Context, done: (exit: number) => void): Command {
  const program = new Command("mosaic")
    .description("A durable fleet of AI coding agents with exactly one orchestrator")
    .version(context.version, "-V, --version", "print the version")
    .addHelpText(
      "after",
      "\n--mosaic-home DIR works with every command (default: $MOSAIC_HOME, then ~/.config/mosaic).\n\nStart here:\n  $ mosaic fleet init\n",
    );
  const fleet = program
    .command("fleet")
    .description("set up, run and watch the fleet")
    .addHelpText("after", examples("init", "start", 'send mos "What is everybody doing?"', "ps --watch"));
  const settle = (command: Command<never, never, never> | Command): void => {
    command.exitOverride().showHelpAfterError(false).configureOutput({ writeOut: context.out, writeErr: context.err });
    for (const sub of command.commands) settle(sub as Command);
  };

  fleet
    .command("init")
    .description("choose a kind of fleet and write its roster; again later to change it")
    .option("-t, --type <preset>", "kind of fleet: general, coding, research, hybrid, or a preset of yours")
    .option("-n, --name <name>", "the fleet's name")
    .addOption(new Option("--runtime <runtime>", "harness of the workers").choices(harnesses))
    .addOption(new Option("--orchestrator-runtime <runtime>", "harness of the orchestrator").choices(harnesses))
    .option("-w, --workdir <folder>", "where the agents work")
    .addOption(new Option("--supervisor <kind>", "what keeps agents alive").choices(["auto", "systemd", "builtin"]))
    .addOption(
      new Option("--connector <platform>", "a chat service that reaches the orchestrator").choices(chatServices),
    )
    .option("--guild <id>", "the server of its channels (Discord)")
    .option("--channel <id...>", "channels where it listens and speaks")
    .option("--owner <id...>", "your id there: who may do everything")
    .option("--token-file <file>", "read its token from this file")
    .option("--token-env <variable>", "read its token from this environment variable")
    .option("--url <url>", "its service's address, where it is not the platform's own")
    .option("-y, --yes", "ask nothing: flags and defaults decide")
    .option("--dry-run", "show what would be written, and write nothing")
    .option(...jsonFlag)
    .addHelpText(
      "after",
      examples(
        "init",
        "init --type coding --workdir ~/src/app --yes",
        "init --type research --dry-run",
        "init --connector discord --guild ID --channel ID --owner ID --token-file ./token --yes",
      ),
    )
    .action(async (options) => done(await (await import("./init.ts")).init(context, options)));

  fleet
    .command("plan")
    .description("show what apply would change")
    .option(...jsonFlag)
    .addHelpText("after", examples("plan", "plan --json | jq '.changes[].why'"))
    .action(async (options) => done(await (await import("./plan.ts")).showPlan(context, options)));
  fleet
    .command("apply")
    .description("make the fleet match its roster; what you stopped stays stopped")
    .addHelpText("after", examples("apply"))
    .action(async () => done(await (await import("./lifecycle.ts")).apply(context)));
  for (const [verb, about] of [
    ["install", "hand the fleet to your systemd: agents begin at boot and outlive your logout"],
    ["uninstall", "take the fleet's systemd units away again; roster and conversations stay"],
  ] as const) {
    fleet
      .command(verb)
      .description(about)
      .option(...jsonFlag)
      .addHelpText("after", examples(verb))
      .action(async (options) => done(await (await import("./check.ts")).units(context, verb, options)));
  }
  for (const [verb, about] of [
    ["start", "start agents (all without a name) and wait until they are ready"],
    ["stop", "let agents save and end, and keep them stopped (all without a name)"],
    ["restart", "stop and start agents; their conversations go on (all without a name)"],
  ] as const) {
    fleet
      .command(verb)
      .description(about)
      .argument("[agents...]", "names; none means the whole fleet")
      .addHelpText("after", examples(verb, `${verb} coder reviewer`))
      .action(async (agents) => done(await (await import("./lifecycle.ts")).lifecycle(context, verb, agents)));
  }

  fleet
    .command("ps")
    .description("list agents and how they are, on which evidence")
    .option(...jsonFlag)
    .option("--watch", "print again at every change")
    .addHelpText("after", examples("ps", "ps --watch", "ps --json | jq -r '.agents[] | [.name, .state] | @tsv'"))
    .action(async (options) => done(await (await import("./ps.ts")).ps(context, options)));
  fleet
    .command("status")
    .description("the fleet in a few lines, or one agent in full")
    .argument("[agent]", "an agent's name")
    .option(...jsonFlag)
    .addHelpText("after", examples("status", "status mos"))
    .action(async (agent, options) => done(await (await import("./status.ts")).status(context, agent, options)));
  fleet
    .command("explain")
    .description("which evidence decided an agent's state, and what else was known")
    .argument("<agent>", "an agent's name")
    .option(...jsonFlag)
    .addHelpText("after", examples("explain coder"))
    .action(async (agent, options) => done(await (await import("./explain.ts")).explain(context, agent, options)));
  fleet
    .command("verify")
    .description("check that the fleet is as its roster says, and every agent and chat answers (exit 5 where not)")
    .option(...jsonFlag)
    .addHelpText("after", examples("verify", "verify && echo all well"))
    .action(async (options) => done(await (await import("./check.ts")).verify(context, options)));
  fleet
    .command("doctor")
    .description("check this machine: what is missing, with the line to type (exit 4 where something is)")
    .option(...jsonFlag)
    .addHelpText("after", examples("doctor"))
    .action(async (options) => done(await (await import("./check.ts")).doctor(context, options)));

  const sending = (command: Command) =>
    command
      .argument("<agent>", "an agent's name; with --all or --role the text begins here")
      .argument("[text...]", "the message, or - to read it from standard input")
      .option("--all", "to every agent")
      .addOption(new Option("--role <role>", "to every agent of that role").choices(roles))
      .option("--steer", "into the running turn, instead of after it")
      .option("--now", "end the running turn first")
      .option("--timeout <time>", "how long to wait, as 30s, 10m or 2h", duration)
      .option("--expire <time>", "give up where it is not delivered by then, as 30s, 10m or 2h", duration)
      .option("--id <id>", "an id of yours: the same id twice is the same message")
      .option("--reply-to <id>", "the message that this one answers")
      .option(...jsonFlag);
  sending(fleet.command("send"))
    .description("send a message to an agent; done when it is kept for good")
    .addOption(new Option("--wait <state>", "wait until it got that far").choices(["delivered", "answered"] as const))
    .addHelpText(
      "after",
      examples(
        `send mos "What is everybody doing?"`,
        "send coder - < task.md",
        "send coder --steer stop after the first file",
        "send --role worker --wait delivered commit what you have",
      ),
    )
    .action(async (agent, text, options) =>
      done(await (await import("./send.ts")).send(context, [agent, ...text], options)),
    );
  sending(fleet.command("ask"))
    .description("send a message, wait for the answer and print it (exit 5 where none came)")
    .addHelpText("after", examples(`ask mos "Is everybody well?"`, "ask coder --timeout 2m which branch are you on"))
    .action(async (agent, text, options) =>
      done(await (await import("./send.ts")).ask(context, [agent, ...text], options)),
    );
  addChatVerbs(fleet, context, done);
  const inbox = fleet
    .command("inbox")
    .description("messages: to whom, from whom, and how far each got")
    .argument("[agent]", "to this agent only")
    .option("-n, --lines <count>", "how many", wholeNumber, 20)
    .option("--state <states>", "only these, as in queued,held")
    .option(...jsonFlag)
    .addHelpText("after", examples("inbox", "inbox coder --state queued,held", "inbox show 3f2a"))
    .action(async (agent, options) => done(await (await import("./inbox.ts")).inbox(context, agent, options)));
  inbox
    .command("show")
    .description("one message whole, its answer, and what became of it")
    .argument("<id>", "its id, or how that begins")
    .option(...jsonFlag)
    .addHelpText("after", examples("inbox show 3f2a"))
    .action(async (id, options) => done(await (await import("./inbox.ts")).show(context, id, options)));
  for (const [what, about] of [
    ["retry", "try a message again, whatever it is held for"],
    ["cancel", "take back a message that is not delivered yet"],
  ] as const) {
    inbox
      .command(what)
      .description(about)
      .argument("<id>", "its id, or how that begins")
      .option(...jsonFlag)
      .addHelpText("after", examples(`inbox ${what} 3f2a`))
      .action(async (id, options) => done(await (await import("./inbox.ts")).change(context, what, id, options)));
  }
  const approvals = fleet
    .command("approvals")
    .description("what agents wait to be allowed")
    .option(...jsonFlag)
    .addHelpText("after", examples("approvals", "approvals allow coder/3"))
    .action(async (options) => done(await (await import("./approvals.ts")).approvals(context, options)));
  for (const decision of ["allow", "deny"] as const) {
    approvals
      .command(decision)
      .description(decision === "allow" ? "allow it this once" : "deny it")
      .argument("<id>", "AGENT/ID as listed, or how that begins")
      .addHelpText("after", examples(`approvals ${decision} coder/3`, `approvals ${decision} coder`))
      .action(async (id) => done(await (await import("./approvals.ts")).decide(context, decision, id)));
  }
  approvals
    .command("answer")
    .description("answer what an agent asks")
    .argument("<id>", "AGENT/ID as listed, or how that begins")
    .argument("<answers...>", "one for each question: a number, several as 1,3, or your own words")
    .addHelpText("after", examples("approvals answer coder 2", 'approvals answer coder/3 1,3 "Neither, wait"'))
    .action(async (id, answers) => done(await (await import("./approvals.ts")).decide(context, { answers }, id)));
  fleet
    .command("interrupt")
    .description("end an agent's running turn")
    .argument("<agent>", "an agent's name")
    .addHelpText("after", examples("interrupt coder"))
    .action(async (agent) => done(await (await import("./send.ts")).interrupt(context, agent)));
  fleet
    .command("tail")
    .description("what was said lately in an agent's conversation")
    .argument("<agent>", "an agent's name")
    .option("-n, --lines <count>", "how many", wholeNumber, 20)
    .option(...jsonFlag)
    .addHelpText("after", examples("tail mos", "tail coder -n 100"))
    .action(async (agent, options) => done(await (await import("./tail.ts")).tail(context, agent, options)));
  fleet
    .command("attach")
    .description("the agent's real terminal; C-b d leaves it")
    .argument("<agent>", "an agent's name")
    .option("--take-over", "hold the agent's messages while you are there")
    .addHelpText("after", examples("attach mos", "attach coder --take-over"))
    .action(async (agent, options) =>
      done(await (await import("./viewer.ts")).view(context, agent, { readOnly: false, ...options })),
    );
  fleet
    .command("watch")
    .description("look at an agent's terminal without being able to type; C-b d leaves it")
    .argument("<agent>", "an agent's name")
    .addHelpText("after", examples("watch coder"))
    .action(async (agent) => done(await (await import("./viewer.ts")).view(context, agent, { readOnly: true })));
  fleet
    .command("logs")
    .description("what happened: starts, ends, restarts, messages")
    .argument("[agent]", "an agent's name; none means all")
    .option("-n, --lines <count>", "how many", wholeNumber, 50)
    .option(...jsonFlag)
    .addHelpText("after", examples("logs", "logs coder -n 200"))
    .action(async (agent, options) => done(await (await import("./logs.ts")).logs(context, agent, options)));

  const preset = fleet.command("preset").description("the kinds of fleet that init offers");
  preset
    .command("list")
    .description("list presets, shipped and yours")
    .option(...jsonFlag)
    .addHelpText("after", examples("preset list"))
    .action(async (options) => done(await (await import("./preset.ts")).list(context, options)));
  preset
    .command("show")
    .description("print a preset's text")
    .argument("<preset>", "its name")
    .addHelpText("after", examples("preset show coding"))
    .action(async (name) => done(await (await import("./preset.ts")).show(context, name)));
  preset
    .command("copy")
    .description("copy a preset into your presets folder, under a new name, to make it yours")
    .argument("<preset>", "its name")
    .argument("<name>", "the new name")
    .addHelpText("after", examples("preset copy coding backend"))
    .action(async (from, to) => done(await (await import("./preset.ts")).copy(context, from, to)));

  fleet
    .command("schema")
    .description("print the JSON Schema of roster.yaml, for editors")
    .addHelpText("after", examples("schema > roster.schema.json"))
    .action(async () => {
      const { rosterJsonSchema } = await import("../roster/schema.ts");
      printJson(context, rosterJsonSchema());
    });
  fleet
    .command("serve")
    .description("run the daemon in this terminal (start does it by itself)")
    .addHelpText("after", examples("serve"))
    .action(async () => {
      await context.serve();
      done(0);
    });
  fleet
    .command("unit", { hidden: true })
    .description("what systemd calls before an agent's start and at its end")
    .addArgument(new Argument("<what>").choices(["begin", "end"]))
    .argument("<agent>", "an agent's name")
    .action(async (what, agent) => done(await context.unit(what, agent)));
  program
    .command("complete")
    .description("print shell completions")
    .argument("<shell>", "bash, zsh or fish")
    .addHelpText(
      "after",
      "\nExamples:\n  $ source <(mosaic complete bash)\n  $ mosaic complete fish > ~/.config/fish/completions/mosaic.fish\n",
    );
  settle(program);
  return program;
}
