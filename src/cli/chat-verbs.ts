import { Argument, type Command, Option } from "@commander-js/extra-typings";

import type { Context } from "./context.ts";
import { chatServices, duration, examples, jsonFlag, wholeNumber } from "./options.ts";

/** `chat` and `connect`: talking with the fleet, and who may from where. */
export function addChatVerbs(fleet: Command, context: Context, done: (exit: number) => void): void {
  const connect = fleet
    .command("connect")
    .description("connect the fleet to a chat service, and say who may speak there")
    .addHelpText("after", examples("connect add discord", "connect list", "connect pair discord"));
  connect
    .command("add")
    .description(
      "connect an account: asks for what it needs and tries the token; told where by options, it asks for the token only",
    )
    .addArgument(new Argument("<platform>").choices(chatServices))
    .option("--name <name>", "a name of yours for it (default: the platform's)")
    .option("--guild <id>", "the server (Discord)")
    .option("--channel <id...>", "channels to listen and speak in; none means direct messages only")
    .option("--owner <id...>", "people who may do everything there")
    .option("--user <id...>", "people who may talk there")
    .option("--agent <agent>", "whom people talk to (default: the orchestrator)")
    .option("--mention", "in channels, hear only what names the bot")
    .option("--token-file <file>", "read the token from this file")
    .option("--token-env <variable>", "read the token from this environment variable")
    .option("--url <url>", "the service's address, where it is not the platform's own")
    .option(...jsonFlag)
    .addHelpText(
      "after",
      examples(
        "connect add discord",
        "connect add discord --guild 123 --channel 456 --owner 789 --token-file ./token",
        "connect add discord --owner 789 < token",
      ),
    )
    .action(async (platform, options) => done(await (await import("./connect.ts")).add(context, platform, options)));
  connect
    .command("token")
    .description("give an account another token; tried first, as at the beginning")
    .argument("<name>", "an account's name")
    .option("--token-file <file>", "read the token from this file")
    .option("--token-env <variable>", "read the token from this environment variable")
    .option(...jsonFlag)
    .addHelpText("after", examples("connect token discord", "connect token discord --token-file ./token"))
    .action(async (name, options) => done(await (await import("./connect.ts")).renew(context, name, options)));
  connect
    .command("list")
    .description("the accounts, and how each connection stands")
    .option(...jsonFlag)
    .addHelpText("after", examples("connect list"))
    .action(async (options) => done(await (await import("./connect.ts")).list(context, options)));
  connect
    .command("test")
    .description(
      "ask the service whether token, channels and rights are right; what was given up for them is tried again",
    )
    .argument("<name>", "an account's name")
    .option(...jsonFlag)
    .addHelpText("after", examples("connect test discord"))
    .action(async (name, options) => done(await (await import("./connect.ts")).test(context, name, options)));
  connect
    .command("remove")
    .description("disconnect an account and delete its token")
    .argument("<name>", "an account's name")
    .addHelpText("after", examples("connect remove discord"))
    .action(async (name) => done(await (await import("./connect.ts")).remove(context, name)));
  const pair = connect
    .command("pair")
    .description("let somebody in: prints a code, waits until they have sent it to the bot, and asks you")
    .argument("<name>", "an account's name")
    .addOption(
      new Option("--as <standing>", "what they may (default: owner where there is none, else user)").choices([
        "owner",
        "user",
      ] as const),
    )
    .option(
      "--timeout <time>",
      "how long to wait for it, as 30s or 5m (default: as long as the code is good, 10m)",
      duration,
    )
    .option("--yes", "let in whoever sends it, without asking")
    .addHelpText("after", examples("connect pair discord", "connect pair discord --as user", "connect pair list"))
    .action(async (name, options) => done(await (await import("./pair.ts")).pair(context, name, options)));
  pair
    .command("list")
    .description("codes that wait, and who has sent them")
    .option(...jsonFlag)
    .addHelpText("after", examples("connect pair list"))
    .action(async (options) => done(await (await import("./pair.ts")).listPairings(context, options)));
  pair
    .command("approve")
    .description("let in whoever has sent that code")
    .argument("<code>", "the code")
    .addHelpText("after", examples("connect pair approve K7QM2RXA"))
    .action(async (code) => done(await (await import("./pair.ts")).approve(context, code)));
  pair
    .command("revoke")
    .description("let somebody out, at once")
    .argument("<name>", "an account's name")
    .argument("<id>", "their id there")
    .addHelpText("after", examples("connect pair revoke discord 123456789012345678"))
    .action(async (name, id) => done(await (await import("./pair.ts")).revoke(context, name, id)));
  fleet
    .command("report")
    .description(
      "inside an agent: tell the person in the chat what was not asked for in this turn; done when it is kept",
    )
    .argument("[text...]", "what to say, or - to read it from standard input")
    .option("--file <file>", "a file to send along (25 MB at most)")
    .addHelpText(
      "after",
      examples(
        'report "The build is green: 212 tests."',
        "report - < summary.md",
        "report --file diff.patch the change",
      ),
    )
    .action(async (text, options) => done(await (await import("./chat.ts")).report(context, text, options)));
  fleet
    .command("chat")
    .description("talk with the fleet in this terminal; with a text: say it and print the answer")
    .argument("[text...]", "what to say, or - to read it from standard input")
    .option("-n, --lines <count>", "how much of what was said before to show", wholeNumber, 20)
    .option("--timeout <time>", "how long to wait for the answer to a text, as 30s, 10m or 2h", duration)
    .option(...jsonFlag)
    .addHelpText("after", examples("chat", `chat "What is everybody doing?"`, "chat /ps"))
    .action(async (text, options) => done(await (await import("./chat.ts")).chat(context, text, options)));
}
