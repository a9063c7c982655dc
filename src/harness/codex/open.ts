import { closeSync, readFileSync, writeSync } from "node:fs";

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

/** How long the conversation is held for the view. Seen: it joins 0.3 to 1 s after its start. */
const holdMs = 20_000;

/**
 * A program of its own, run by an agent's launch before each view: waits for the app-server, opens the agent's
 * conversation again or a new one, writes down which it is, and holds it until the view has had its time to join.
 */
async function open(desk: OpenDesk, pid: number): Promise<string> {
  const before = readSession(desk.session);
  if (before?.pid === pid) return before.id;
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

/**
 * A view that joins a conversation which nobody listens to makes the server load it anew with the view's own settings,
 * where it is between two turns; a turn out of the queue that begins just then is ended by that. So somebody listens.
 */
async function hold(socket: string, threadId: string, say: () => void): Promise<void> {
  const held = converse(socket, holdMs, async (line) => {
    await line.call("thread/resume", { threadId, excludeTurns: true });
    say();
    return line.told<never>(() => undefined); // until the time is over, or the server is
  });
  await held.catch(() => undefined);
}

const [, , deskFile = "", pid = ""] = process.argv;
const desk = JSON.parse(readFileSync(deskFile, "utf8")) as OpenDesk;
const id = await open(desk, Number(pid));
let isSaid = false;
/** Whoever waits for the id waits for the end of this output, and not for the end of this program. */
const sayId = () => {
  if (isSaid) return;
  isSaid = true;
  writeSync(1, id);
  closeSync(1);
};
await hold(desk.socket, id, sayId);
sayId();
