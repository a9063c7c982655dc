import { readlinkSync, rmSync } from "node:fs";

import type { Decision } from "../../contract/command.ts";
import { FleetError } from "../../lib/errors.ts";
import { exec } from "../../lib/exec.ts";
import { findExecutable, programOf } from "../../lib/find-executable.ts";
import { withLock } from "../../lib/lock.ts";
import { signal } from "../../lib/proc.ts";
import type { Desk, Harness } from "../harness.ts";
import { decide, waitingApprovals } from "./approvals.ts";
import { converse, Refused, type Line } from "./channel.ts";
import { prepareLaunch } from "./launch.ts";
import { noteReceipt, queueOf, receiptOf, whereIs } from "./receipts.ts";
import { lacking } from "./schema.ts";
import { readSession } from "./session.ts";
import { besides, isWaiting, limitEnd, look, refusedOnly, stateOf, waitingBeside, whyOf } from "./state.ts";
import { traceOf } from "./trace.ts";
import { readRollout } from "./transcript.ts";
import { readUsage } from "./usage.ts";

/** How long to wait for Codex's own word that a message entered the conversation, when it is idle. Seen: 20 ms. */
const proofMs = 5_000;

/** Codex (`@openai/codex`), through an app-server of each agent's own. Measured on 0.169.0. */
export const codex: Harness = {
  runtime: "codex",
  capabilities: { receipts: true, nativeState: true, steer: true, resume: true, transcript: true, beats: false },
  install: "npm install -g @openai/codex",

  locate: (_, search) => findExecutable("codex", search.path),

  async version(path, search) {
    const env = { PATH: search.path, HOME: "/nonexistent" };
    const ran = await exec([...programOf(path, search.node), "--version"], { env, timeoutMs: 15_000 });
    return /\d+\.\d+\.\d+\S*/.exec(ran.stdout)?.[0];
  },

  lacks: (path, search) => lacking(programOf(path, search.node), search.path),

  async launch(desk, found) {
    const argv = prepareLaunch(desk, found, programOf(found.path, desk.node));
    return { argv, env: {}, sessionId: readSession(desk.place.session)?.id };
  },

  async ask({ place }, withinMs) {
    const session = readSession(place.session);
    if (session?.pid === undefined) return { kind: "absent" };
    const { id, pid, version, file } = session;
    const seenNow = await converse(place.inbox, withinMs, async (line) => {
      const [own, beside] = await Promise.all([look(line, id), waitingBeside(line, id)]);
      return { ...own, beside };
    }).catch(refusedOnly);
    if (seenNow === undefined) return { kind: "absent" };
    if (seenNow === "silent") return { kind: "silent", waitedMs: withinMs };
    const { thread, turn, beside } = seenNow;
    const [asks] = isWaiting(thread) ? [] : beside;
    const since = turn?.completedAt ?? turn?.startedAt ?? thread.updatedAt;
    const state = stateOf(asks ?? thread, turn);
    const why = asks === undefined ? whyOf(thread, turn) : `a subagent asks: ${whyOf(asks, turn)}`;
    const usage = readUsage(file);
    const until = state === "limited" ? limitEnd(turn, usage) : undefined;
    return {
      kind: "state",
      state,
      at: since * 1_000,
      pid,
      session: id,
      ...(thread.model !== null && { model: thread.model }),
      ...(version !== undefined && { version }),
      ...(why !== undefined && { why }),
      ...(until !== undefined && { until }),
      ...(usage?.context !== undefined && { context: usage.context }),
    };
  },

  async submit(desk, { id, text, mode }) {
    const { journal } = desk.place;
    const before = receiptOf(journal, id);
    if (before !== undefined && before !== "offered") return { id, state: before, by: "codex" };
    const state = await atServer(desk, proofMs, async (line, threadId) => {
      if (before === "offered") {
        // Whoever offered it died before it could note the outcome: the conversation itself knows.
        const taken = await whereIs(line, threadId, id);
        if (taken !== undefined) return taken;
        const { turn: running } = await look(line, threadId);
        if (mode === "steer" && running?.status === "inProgress") {
          // What was steered into a turn shows in the conversation only once the model has been told.
          throw new FleetError("unreachable", `Whether ${desk.agent.name} has it shows once its turn goes on.`, {
            hint: `mosaic fleet explain ${desk.agent.name}`,
          });
        }
      } else noteReceipt(journal, id, "offered");
      const input = { threadId, input: [{ type: "text", text }], clientUserMessageId: id };
      // The queue first: what leaves it between the two questions shows as a turn, and would be merged with this otherwise.
      const waiting = await line.call<{ data: unknown[] }>("thread/queue/list", { threadId, limit: 1 });
      const { thread, turn } = await look(line, threadId);
      const busy = thread.status.type === "active";
      if (busy && mode === "steer" && turn?.status === "inProgress") {
        try {
          await line.call("turn/steer", { ...input, expectedTurnId: turn.id });
          return "queued" as const; // Codex reads it at the next step of the turn
        } catch (error) {
          if (!(error instanceof Refused)) throw error; // the turn ended meanwhile: it waits like any other
        }
      }
      // What is to come first goes past those that an interruption left waiting; Codex goes on with them after it.
      if (busy || (waiting.data.length > 0 && mode !== "steer")) {
        await line.call("thread/queue/add", input);
        if (!busy) await beginQueue(line, threadId);
        return "queued" as const;
      }
      await line.call("thread/resume", { threadId, excludeTurns: true }); // so that this line is told of it
      const proof = line.told((method, params) =>
        method === "item/completed" && isOurs(params["item"], id) ? ("delivered" as const) : undefined,
      );
      await line.call("turn/start", input);
      noteReceipt(journal, id, "queued"); // taken; its proof may come too late for this line
      return proof;
    });
    noteReceipt(journal, id, state);
    return { id, state, by: "codex" };
  },

  trace: async (desk, ids) => traceOf(desk, ids),

  async interrupt(desk) {
    return atServer(desk, 3_000, async (line, threadId) => {
      // Its subagents go on without it, and would ask on.
      const ended = [await endTurn(line, threadId)];
      for (const { id, status } of await besides(line, threadId))
        if (status.type === "active") ended.push(await endTurn(line, id));
      return ended.includes(true) ? "the turn was ended" : "there was nothing to interrupt";
    });
  },

  async goOn(desk) {
    await atServer(desk, 3_000, async (line, threadId) => {
      const waiting = await queueOf(line, threadId);
      // A person's own are the person's, where none of ours waits with them.
      if (waiting.some((id) => receiptOf(desk.place.journal, id) !== undefined)) await beginQueue(line, threadId);
      return true;
    });
  },

  async permissions(desk) {
    const asked = await atServer(desk, 3_000, waitingApprovals);
    return asked.map(({ permission }) => permission);
  },

  answer: settle,
  choose: (desk, permission, answers) => settle(desk, permission, { answers }),

  async end(desk, pid) {
    // A server that is told to end waits for its running turn, so the turn is ended first.
    await this.interrupt(desk).catch(() => undefined);
    signal(pid, "SIGTERM");
    // Codex puts the socket itself into a folder that all its servers share, and links to it; nothing may be left there.
    try {
      rmSync(readlinkSync(desk.place.inbox), { force: true });
    } catch {
      // no link: the server has never listened, or has cleaned up
    }
    rmSync(desk.place.inbox, { force: true });
  },

  async tail({ agent, place }, lines) {
    const file = readSession(place.session)?.file;
    if (file === undefined) {
      throw new FleetError("not-found", `${agent.name} has no conversation yet.`, {
        hint: `mosaic fleet send ${agent.name} "…"`,
      });
    }
    return readRollout(file, lines);
  },
};

/** Whether there was a running turn to end. */
async function endTurn(line: Line, threadId: string): Promise<boolean> {
  const { turn } = await look(line, threadId);
  if (turn?.status !== "inProgress") return false;
  await line.call("turn/interrupt", { threadId, turnId: turn.id });
  return true;
}

/** One at a time: all who wait for an answer's effect are told that one counted, and not whose. */
async function settle(desk: Desk, permission: string, decision: Decision): Promise<void> {
  const done = await withLock(`${desk.place.dir}/answer.lock`, { what: `an answer to ${desk.agent.name}` }, () =>
    atServer(desk, 3_000, (line, thread) => decide(line, thread, permission, decision)),
  );
  if (done) return;
  throw new FleetError("conflict", `${desk.agent.name} does not wait for that permission any more.`, {
    hint: `mosaic fleet explain ${desk.agent.name}`,
  });
}

/** Does something at the agent's own server, or says why that was not possible. */
async function atServer<T>(
  { agent, place }: Desk,
  withinMs: number,
  act: (line: Line, thread: string) => Promise<T>,
): Promise<T> {
  const thread = readSession(place.session)?.id;
  const answer = thread === undefined ? undefined : await converse(place.inbox, withinMs, (line) => act(line, thread));
  if (answer !== undefined && answer !== "silent") return answer;
  const why = answer === "silent" ? "does not answer" : "is not running";
  throw new FleetError("unreachable", `${agent.name} ${why}.`, {
    hint: `mosaic fleet ${answer === "silent" ? "explain" : "start"} ${agent.name}`,
  });
}

/**
 * An interruption leaves Codex's queue lying until somebody says otherwise. Codex takes this as one step: it refuses in the
 * middle of a turn, also between a turn and the next, and of two who say it at once one.
 */
const beginQueue = (line: Line, threadId: string): Promise<unknown> =>
  line.call("thread/queue/start", { threadId }).catch(refusedOnly);

const isOurs = (item: unknown, id: string): boolean =>
  typeof item === "object" && item !== null && "clientId" in item && item.clientId === id;
