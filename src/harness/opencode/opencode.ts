import { existsSync, rmSync } from "node:fs";

import { FleetError } from "../../lib/errors.ts";
import { exec } from "../../lib/exec.ts";
import { findExecutable, programOf } from "../../lib/find-executable.ts";
import { withLock } from "../../lib/lock.ts";
import { isGone, signal } from "../../lib/proc.ts";
import { until } from "../../lib/wait.ts";
import type { Harness } from "../harness.ts";
import { converse, type Line } from "./channel.ts";
import { passwordOf, prepareLaunch, quiet, temporary } from "./launch.ts";
import { answer, choose, permissions } from "./permissions.ts";
import { isNoted, messageOf, nextMessage, noteMessage, noteTakenUp } from "./receipts.ts";
import { atServer, refusedOnly } from "./server.ts";
import { readSession, type Message } from "./session.ts";
import { contextOf, isBusy, look, newestOf, refusePending, unreadIn, wordOf } from "./state.ts";
import { traceOf } from "./trace.ts";
import { readConversation } from "./transcript.ts";

/** How long to wait for OpenCode's own word that a message is in the conversation. Seen: 10 ms. */
const proofMs = 5_000;

/** How long it may take from a message to its turn. Seen: 10 ms. */
const beginsMs = 2_000;

/** OpenCode (`opencode-ai`), through the HTTP server of each agent's own process. Measured on 1.18.33. */
export const opencode: Harness = {
  runtime: "opencode",
  capabilities: { receipts: true, nativeState: true, steer: true, resume: true, transcript: true, beats: false },
  install: "npm install -g opencode-ai",

  locate: (_, search) => findExecutable("opencode", search.path),

  async version(path, search) {
    // It unpacks libraries even for this, and leaves them.
    const { mkdtempSync } = process.getBuiltinModule("node:fs");
    const scratch = mkdtempSync(`${process.getBuiltinModule("node:os").tmpdir()}/mosaic-opencode-`);
    try {
      const env = { PATH: search.path, HOME: scratch, TMPDIR: scratch, ...quiet };
      const ran = await exec([...programOf(path, search.node), "--version"], { env, timeoutMs: 30_000 });
      return /\d+\.\d+\.\d+\S*/.exec(ran.stdout)?.[0];
    } finally {
      rmSync(scratch, { recursive: true, force: true });
    }
  },

  launch: prepareLaunch,

  async ask(desk, withinMs) {
    const session = readSession(desk.place.session);
    const password = passwordOf(desk);
    // A port of an OpenCode that is gone may be anybody's by now.
    if (session === undefined || password === undefined || isGone(session.pid)) return { kind: "absent" };
    const { id, pid, url, version } = session;
    const seen = await converse({ url, password }, withinMs, (line) => look(line, id)).catch(refusedOnly);
    if (seen === undefined) return { kind: "absent" };
    if (seen === "silent") return { kind: "silent", waitedMs: withinMs };
    const { info } = seen.messages.at(-1) ?? {};
    const context = contextOf(seen, session.limits ?? {});
    const model = info?.modelID === undefined ? session.model : `${info.providerID}/${info.modelID}`;
    return {
      kind: "state",
      ...wordOf(seen),
      at: info?.time.completed ?? info?.time.created ?? Date.now(),
      pid,
      session: id,
      ...(model !== undefined && { model }),
      ...(version !== undefined && { version }),
      ...(context !== undefined && { context }),
    };
  },

  /**
   * In the conversation, by OpenCode's own record, which a kill does not take along. A busy OpenCode reads it at the
   * next step of its running turn, whatever the mode: `next` and `steer` are the same to it.
   */
  async submit(desk, { id, text }) {
    const { agent, place } = desk;
    // One at a time: the order of a conversation is the order of its ids.
    return withLock(`${place.dir}/inbox.lock`, { what: `messages to ${agent.name}`, patienceMs: 60_000 }, () =>
      atServer(desk, 2 * proofMs, async (line, session) => {
        const holds = (message: string) =>
          line.get(`/session/${session}/message/${message}`).then(
            () => true,
            (error: unknown) => refusedOnly(error),
          );
        const before = messageOf(place.journal, id);
        if (before !== undefined && (await holds(before))) return { id, state: "delivered", by: "opencode" };
        const newest = await newestOf(line, session, 1);
        const message = nextMessage(newest.at(-1)?.info.id, Date.now());
        noteMessage(place.journal, id, message);
        const [providerID, ...modelID] = agent.model?.split("/") ?? [];
        await line.post(`/session/${session}/prompt_async`, {
          messageID: message,
          parts: [{ type: "text", text }],
          // Otherwise it goes on with the conversation's last one, whatever the roster says now.
          ...(agent.model !== undefined && { model: { providerID, modelID: modelID.join("/") } }),
        });
        if (!(await until(() => holds(message), { withinMs: proofMs, everyMs: 10 }))) {
          throw new FleetError("unreachable", `${agent.name} did not take the message.`, {
            hint: `mosaic fleet explain ${agent.name}`,
          });
        }
        return { id, state: "delivered", by: "opencode" };
      }),
    );
  },

  trace: async (desk, ids) => traceOf(desk, ids),

  async interrupt(desk) {
    return atServer(desk, proofMs, async (line, session) => {
      if (!(await isBusy(line, session))) return "there was nothing to interrupt";
      await refusePending(line);
      await line.post(`/session/${session}/abort`);
      await until(async () => ((await isBusy(line, session)) ? undefined : true), { withinMs: 3_000 });
      await takeUp(line, session, unreadIn(await newestOf(line, session, 50)));
      return "the turn was ended";
    });
  },

  async goOn(desk) {
    await atServer(desk, proofMs, async (line, session) => {
      const { journal } = desk.place;
      const unread = unreadIn(await newestOf(line, session, 50));
      const newest = unread.at(-1)?.info;
      if (newest === undefined || Date.now() - newest.time.created < beginsMs || (await isBusy(line, session))) return;
      // A person's own are the person's, where none of ours waits with them.
      if (!unread.some(({ info }) => isNoted(journal, info.id)) || !noteTakenUp(journal, newest.id)) return;
      await takeUp(line, session, unread);
    });
  },

  permissions,
  answer,
  choose,

  async end(desk, pid) {
    // An ended turn is written down as one; a killed one would look as if it still ran.
    await atServer(desk, 1_000, (line, session) => line.post(`/session/${session}/abort`)).catch(() => undefined);
    signal(pid, "SIGTERM"); // seen: 0.3 s, status 0
  },

  async tail(desk, lines) {
    const session = readSession(desk.place.session);
    if (session === undefined) {
      throw new FleetError("not-found", `${desk.agent.name} has no conversation yet.`, {
        hint: `mosaic fleet send ${desk.agent.name} "…"`,
      });
    }
    return readConversation(desk, session.id, lines);
  },

  tidy(desk) {
    if (existsSync(temporary(desk))) rmSync(temporary(desk), { recursive: true, force: true, maxRetries: 3 });
  },
};

/** What came during a turn that was ended, and was not read, would lie there until somebody writes again. */
async function takeUp(line: Line, session: string, unread: readonly Message[]): Promise<void> {
  const newest = unread.at(-1)?.info.id;
  // Named without new text it is the same message, and the model reads it with those before it.
  if (newest !== undefined) await line.post(`/session/${session}/prompt_async`, { messageID: newest, parts: [] });
}
