import { readFileSync } from "node:fs";

import { FleetError } from "../../lib/errors.ts";
import { until } from "../../lib/wait.ts";
import { converse, Refused } from "./channel.ts";
import { readSession, writeSession, type Thread } from "./session.ts";

/** What a launch tells the program below. */
export interface OpenDesk {
  agent: string;
  socket: string;
  session: string;
  version: string | undefined;
  /** How the conversation is to be held: model, permissions, who the agent is. */
  thread: Readonly<Record<string, unknown>>;
}

/**
 * A program of its own, run once by an agent's launch and gone before the terminal shows anything: waits for the
 * app-server, opens the agent's conversation again or a new one, and writes down which it is.
 */
async function open(deskFile: string, pid: number): Promise<string> {
  const desk = JSON.parse(readFileSync(deskFile, "utf8")) as OpenDesk;
  const before = readSession(desk.session);
  const opened = await until(
    () =>
      converse(desk.socket, 20_000, async (line) => {
        const begin = async () => {
          const { thread } = await line.call<{ thread: Thread }>("thread/start", desk.thread);
          // A thread without a message has no file yet; a name gives it one, so that a crash cannot lose it.
          await line.call("thread/name/set", { threadId: thread.id, name: desk.agent });
          return thread;
        };
        if (before === undefined) return begin();
        try {
          const known = { ...desk.thread, threadId: before.id, excludeTurns: true };
          return (await line.call<{ thread: Thread }>("thread/resume", known)).thread;
        } catch (error) {
          if (error instanceof Refused && /no rollout found/.test(error.message)) return begin();
          throw error;
        }
      }),
    { withinMs: 30_000 },
  );
  if (opened === undefined || opened === "silent") {
    throw new FleetError("unreachable", "Codex's app-server does not answer.");
  }
  writeSession(desk.session, { id: opened.id, file: opened.path ?? undefined, pid, version: desk.version });
  return opened.id;
}

const [, , deskFile = "", pid = ""] = process.argv;
process.stdout.write(await open(deskFile, Number(pid)));
