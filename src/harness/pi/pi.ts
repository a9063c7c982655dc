import { readFileSync } from "node:fs";

import type { AgentState } from "../../contract/state.ts";
import { writeAtomic } from "../../lib/atomic.ts";
import { FleetError } from "../../lib/errors.ts";
import { exec } from "../../lib/exec.ts";
import { findExecutable, programOf } from "../../lib/find-executable.ts";
import { signal } from "../../lib/proc.ts";
import type { Desk, Harness } from "../harness.ts";
import { converse } from "./channel.ts";
import { answerPermission, permissions } from "./permissions.ts";
import { traceOf } from "./trace.ts";
import { readTranscript } from "./transcript.ts";
import type { ExtensionDesk } from "./wire.ts";

/** How long to wait for Pi's own word that a message entered the conversation, when Pi is idle. Seen: 4 to 13 ms. */
const proofMs = 5_000;

/** Pi (`@earendil-works/pi-coding-agent`), through an extension of ours. Measured on 0.87.1 and 1.5.2. */
export const pi: Harness = {
  runtime: "pi",
  capabilities: { receipts: true, nativeState: true, steer: true, resume: true, transcript: true, beats: true },
  install: "npm install -g @earendil-works/pi-coding-agent",

  locate: (_, search) => findExecutable("pi", search.path),

  async version(path, search) {
    const argv = programOf(path, search.node);
    const env = { PATH: search.path, HOME: "/nonexistent", ...quiet };
    const ran = await exec([...argv, "--version"], { env, timeoutMs: 15_000 });
    return /\d+\.\d+\.\d+\S*/.exec(ran.stdout + ran.stderr)?.[0];
  },

  async launch(desk, found) {
    const { agent, place } = desk;
    const sessionId = sessionOf(desk) ?? `${desk.fleet}-${agent.name}-${crypto.randomUUID().slice(0, 13)}`;
    // The id is durable before Pi first sees it, so a kill in between resumes this conversation and makes no second.
    if (sessionOf(desk) === undefined) writeAtomic(place.session, JSON.stringify({ id: sessionId }));
    const told: ExtensionDesk = {
      agent: agent.name,
      role: agent.role,
      fleet: desk.fleet,
      prompt: agent.prompt ?? "",
      permissions: agent.permissions,
      workdir: agent.workdir,
      beat: desk.beat,
      inbox: place.inbox,
      journal: place.journal,
      session: place.session,
      mosaic: desk.mosaic,
      version: found.version,
    };
    const deskFile = `${place.dir}/desk.json`;
    writeAtomic(deskFile, JSON.stringify(told));
    return {
      argv: [
        ...programOf(found.path, desk.node),
        "--session-id",
        sessionId,
        "--name",
        agent.name,
        ...(agent.model === undefined ? [] : ["--model", agent.model]),
        "--extension",
        desk.assets.piExtension,
        "--tui-mode",
        "regular",
        ...agent.args,
      ],
      env: { ...quiet, MOSAIC_DESK: deskFile },
      sessionId,
    };
  },

  async ask({ place }, withinMs) {
    const answer = await converse(
      place.inbox,
      { type: "state" },
      { withinMs, take: (reply) => (reply.type === "state" ? reply : undefined) },
    );
    if (answer === undefined) return { kind: "absent" };
    if (answer === "silent") return { kind: "silent", waitedMs: withinMs };
    const { since, pid, session, model, version, why, until, context } = answer;
    return {
      kind: "state",
      state: answer.state as AgentState,
      at: since,
      pid,
      ...(session !== undefined && { session }),
      ...(model !== undefined && { model }),
      ...(version !== undefined && { version }),
      ...(why !== undefined && { why }),
      ...(until !== undefined && { until }),
      ...(context !== undefined && { context }),
    };
  },

  async submit(desk, message) {
    const { agent, place } = desk;
    let accepted = false;
    const state = await this.ask(desk, 1_000);
    const idle = state.kind === "state" && state.state === "idle";
    const answer = await converse(
      place.inbox,
      { type: "message", ...message },
      {
        withinMs: idle ? proofMs : 1_000,
        take: (reply) => {
          if (reply.type === "accepted" || reply.type === "duplicate") accepted = true;
          // A busy Pi reads at the turn's end, which nobody should wait for here: accepted is already durable.
          if (reply.type === "accepted" && !idle) return reply;
          return reply.type === "delivered" || reply.type === "duplicate" || reply.type === "refused"
            ? reply
            : undefined;
        },
      },
    );
    if (answer !== undefined && answer !== "silent" && answer.type === "refused") {
      throw new FleetError("conflict", `${agent.name} does not take messages now: ${answer.why}.`, {
        hint: `mosaic fleet explain ${agent.name}`,
      });
    }
    if (answer !== undefined && answer !== "silent" && answer.type === "delivered") {
      return { id: message.id, state: "delivered", by: "pi" };
    }
    if (accepted) return { id: message.id, state: "queued", by: "pi" };
    const why = answer === "silent" ? "does not answer" : "is not running";
    throw new FleetError("unreachable", `${agent.name} ${why}; the message was not sent.`, {
      hint: `mosaic fleet ${answer === "silent" ? "explain" : "start"} ${agent.name}`,
    });
  },

  async trace(desk, ids) {
    return traceOf(desk, ids);
  },

  async interrupt({ agent, place }) {
    const answer = await converse(
      place.inbox,
      { type: "interrupt" },
      { withinMs: 3_000, take: (reply) => (reply.type === "done" ? reply.note : undefined) },
    );
    if (answer === undefined || answer === "silent") {
      throw new FleetError("unreachable", `${agent.name} does not answer.`, {
        hint: `mosaic fleet explain ${agent.name}`,
      });
    }
    return answer;
  },

  permissions,
  answer: answerPermission,

  async end({ place }, pid) {
    const answer = await converse(
      place.inbox,
      { type: "end" },
      { withinMs: 1_000, take: (reply) => (reply.type === "done" ? true : undefined) },
    );
    if (answer !== true) signal(pid, "SIGTERM"); // Pi saves on that too (seen: 0.11 s, status 0)
  },

  async tail({ agent, place }, lines) {
    const file = sessionRecord(place.session)?.file;
    if (file === undefined) {
      throw new FleetError("not-found", `${agent.name} has no conversation yet.`, {
        hint: `mosaic fleet send ${agent.name} "…"`,
      });
    }
    return readTranscript(file, lines);
  },
};

/** No telemetry, no update check and no download by itself inside a fleet. */
const quiet = { PI_OFFLINE: "1", PI_TELEMETRY: "0", PI_SKIP_VERSION_CHECK: "1" } as const;

const sessionOf = ({ place }: Desk): string | undefined => sessionRecord(place.session)?.id;

function sessionRecord(path: string): { id: string; file?: string } | undefined {
  try {
    return JSON.parse(readFileSync(path, "utf8")) as { id: string; file?: string };
  } catch {
    return undefined;
  }
}
