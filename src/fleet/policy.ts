import type { Command } from "../contract/command.ts";
import { FleetError } from "../lib/errors.ts";

/** What is known of the agent that asks, once its token was checked. */
export interface Standing {
  role: "orchestrator" | "worker";
}

/**
 * The one judgement of who may do what. A person may all. The orchestrator may run the fleet, but not itself: whoever
 * restarts the one agent that commands is a person. A worker may talk. Anything not named here is refused.
 */
export function judge(command: Command, standing: Standing | undefined, everyAgent: readonly string[]): void {
  const { by } = command;
  if (by.kind === "person") return;
  if (by.kind === "chat") return judgeChat(command, by);
  const refuse = (why: string): never => {
    throw new FleetError("conflict", `${by.name} may not do that: ${why}.`, {
      hint: `ask the orchestrator or the person who owns the fleet`,
    });
  };
  if (standing === undefined) return refuse("its token is not the one this fleet gave it");
  if (command.do === "send") {
    if (Array.isArray(command.to) && command.to.includes(by.name)) refuse("an agent does not write to itself");
    return undefined;
  }
  // Whose message it is, the use case knows.
  if (command.do === "retry" || command.do === "cancel") return undefined;
  if (command.do === "answer") return refuse("a permission is a person's to give");
  if (command.do === "install" || command.do === "uninstall")
    return refuse("what the machine does at boot is a person's affair");
  if (standing.role !== "orchestrator") return refuse(`a worker may send and look, not ${command.do}`);
  const touched = command.do === "interrupt" ? [command.agent] : "agents" in command ? command.agents : [];
  const all = touched === "all" ? everyAgent : touched;
  if (all.includes(by.name)) return refuse(`the orchestrator cannot ${command.do} itself`);
  return undefined;
}

/** An owner may by chat what a person may here, but for what the machine does at boot; a user may look and talk. */
function judgeChat(command: Command, { name, standing }: Extract<Command["by"], { kind: "chat" }>): void {
  const mayAll = standing === "owner" && command.do !== "install" && command.do !== "uninstall";
  if (mayAll || command.do === "send") return;
  throw new FleetError("conflict", `${name} may not ${command.do} by chat.`, {
    hint: standing === "owner" ? "type it at the machine" : "ask the owner of the fleet",
  });
}
