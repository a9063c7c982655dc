import type { Asker, Command } from "../contract/command.ts";
import type { Heard } from "./ledger.ts";
import type { FleetOrder } from "./orders.ts";
import type { Fleet } from "./parts.ts";
import { fleetText, helpText, outcomeText, statusText } from "./words.ts";

/** Who asks, as the policy knows them. */
export const askerOf = ({ account, speaker, speakerName, standing }: Heard): Extract<Asker, { kind: "chat" }> => ({
  kind: "chat",
  account,
  speaker,
  name: speakerName,
  standing,
});

/** Carries out a command and answers what to say. */
export async function carryOut(fleet: Fleet, by: Asker, order: FleetOrder, home: string): Promise<string> {
  const { word, rest } = order;
  const [first = "", ...more] = rest.split(/\s+/);
  const run = async (command: Command) => outcomeText(await fleet.control.run(command));
  switch (word) {
    case "help":
      return helpText;
    case "ps":
      return fleetText(await fleet.control.state());
    case "status":
      return first === "" ? fleetText(await fleet.control.state()) : statusText(await fleet.control.state(), first);
    case "start":
    case "stop":
    case "restart":
      if (first === "" || more.length > 0) return `Which one? /${word} AGENT`;
      return run({ do: word, agents: [first], by });
    case "interrupt":
      return run({ do: "interrupt", agent: first === "" ? home : first, by });
  }
}
