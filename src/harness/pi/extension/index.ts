import { readFileSync, renameSync, writeFileSync } from "node:fs";

import { formatBeat } from "../../../contract/beat.ts";
import type { ExtensionDesk, Reply, Request } from "../wire.ts";
import { openDelivery } from "./delivery.ts";
import { beyond, wordsOf } from "./gate.ts";
import { openInbox } from "./inbox.ts";
import { openJournal } from "./journal.ts";
import { watchLimits } from "./limits.ts";
import type { PiApi, PiContext } from "./pi-api.ts";
import { openQuestions } from "./questions.ts";
import { registerFleetTools } from "./tools.ts";
import { openTurns } from "./turns.ts";

/**
 * Runs inside Pi: takes messages with acknowledgement, says what Pi is doing by Pi's own events, beats, keeps the
 * permission floor. Nothing here may throw into Pi or do slow work in a streaming event.
 */
// oxlint-disable-next-line import/no-default-export -- Pi loads an extension by its default export
export default function mosaic(pi: PiApi): void {
  const deskFile = process.env["MOSAIC_DESK"];
  if (deskFile === undefined) return; // loaded by hand, outside a fleet
  const desk = JSON.parse(readFileSync(deskFile, "utf8")) as ExtensionDesk;
  const journal = openJournal(desk.journal);
  const delivery = openDelivery(pi, journal, openTurns(journal), () => context);
  let context: PiContext | undefined;
  let state = "starting";
  let since = Date.now();
  /** What it waits for, or what failed, in Pi's own words. */
  let why: string | undefined;
  let lastStatus = 200;
  const limitEnd = watchLimits();
  let until: number | undefined;
  let turn = false;
  let compacting = false;
  let prompts = 0;
  let close = () => {};
  const questions = openQuestions(desk.agent, () => {
    why = undefined;
    settle();
  });

  const enter = (next: string) => {
    if (next === state) return;
    state = next;
    since = Date.now();
    journal.note({ at: since, kind: "state", state });
    beat();
  };
  /** Where it is once nothing asks and nothing is being shortened. */
  const settle = () => {
    const [asked] = questions.list();
    if (asked !== undefined) {
      why = oneLine(asked.what);
      return enter("waiting-permission");
    }
    if (prompts > 0) return enter("waiting-input");
    if (turn || compacting) return enter("working");
    enter(lastStatus === 401 || lastStatus === 403 ? "auth-failed" : lastStatus === 429 ? "limited" : "idle");
  };
  const modelOf = () => (context?.model ? `${context.model.provider}/${context.model.id}` : undefined);

  const contextOf = () => {
    const percent = context?.getContextUsage()?.percent;
    return typeof percent === "number" ? Math.round(percent) : undefined;
  };

  function beat(): void {
    const percent = contextOf();
    const text = formatBeat({
      ts: new Date().toISOString(),
      pid: process.pid,
      status: "ok",
      interval: desk.beat.intervalS,
      state,
      model: modelOf(),
      session: context?.sessionManager.getSessionId(),
      version: desk.version,
      context: percent === undefined ? undefined : `${percent}%`,
    });
    replace(desk.beat.path, text);
  }

  function serve(request: Request, answer: (reply: Reply) => void): void {
    switch (request.type) {
      case "state": {
        const percent = contextOf();
        return answer({
          type: "state",
          state,
          since,
          pid: process.pid,
          ...(context && { session: context.sessionManager.getSessionId() }),
          ...(modelOf() !== undefined && { model: modelOf() as string }),
          ...(desk.version !== undefined && { version: desk.version }),
          ...(why !== undefined && { why }),
          ...(until !== undefined && state === "limited" && { until }),
          ...(percent !== undefined && { context: percent }),
        });
      }
      case "message": {
        if (typeof request.id !== "string" || typeof request.text !== "string") {
          return answer({ type: "refused", why: "this is not a message" });
        }
        if (context === undefined || state === "draining") {
          return answer({ type: "refused", id: request.id, why: `it is ${state}` });
        }
        const seen = journal.seen(request.id);
        if (seen !== undefined)
          return answer({ type: seen === "delivered" ? "delivered" : "duplicate", id: request.id });
        journal.keep({ at: Date.now(), kind: "accepted", id: request.id, text: request.text, mode: request.mode });
        answer({ type: "accepted", id: request.id });
        return delivery.take({ id: request.id, text: request.text, mode: request.mode, tell: answer });
      }
      case "interrupt": {
        const busy = context !== undefined && !context.isIdle();
        if (busy) context?.abort();
        return answer({ type: "done", note: busy ? "the turn was ended" : "it was idle; nothing to interrupt" });
      }
      case "permissions":
        return answer({ type: "permissions", open: questions.list() });
      case "answer":
        return void questions
          .answer(request.id, request.decision)
          .then((taken) =>
            answer(
              taken
                ? { type: "done", note: request.decision }
                : { type: "refused", id: request.id, why: "it does not wait for that permission any more" },
            ),
          );
      case "end":
        enter("draining");
        answer({ type: "done", note: "ending" });
        // Idle or not: Pi saves what it has and goes. A turn that must finish first is waited for by whoever asks.
        if (context?.isIdle() === false) context.abort();
        return context?.shutdown();
    }
  }

  pi.on("session_start", (_, now) => {
    context = now;
    close();
    const id = now.sessionManager.getSessionId();
    replace(desk.session, JSON.stringify({ id, file: now.sessionManager.getSessionFile(), pid: process.pid }));
    const server = openInbox(desk.inbox, serve);
    const timer = setInterval(beat, desk.beat.intervalS * 1_000);
    close = () => {
      clearInterval(timer);
      server.close();
    };
    now.ui.setStatus("mosaic", `${desk.fleet}: ${desk.agent}`);
    [turn, compacting, prompts] = [false, false, 0];
    settle();
    beat();
    delivery.replay(now);
  });

  pi.on("message_start", ({ message }) => {
    if (message.role !== "user") return;
    why = undefined;
    delivery.entered(message);
  });
  pi.on("agent_start", () => {
    turn = true;
    settle();
  });
  pi.on("agent_settled", () => {
    turn = false;
    settle();
    delivery.settled();
  });
  pi.on("message_end", ({ message }) => {
    if (message.role !== "assistant") return;
    const failed = message.stopReason === "error";
    lastStatus = failed ? statusOf(message.errorMessage) : 200;
    why = failed ? message.errorMessage : undefined;
    until = lastStatus === 429 ? limitEnd(Date.now()) : undefined;
    delivery.answered(message);
  });
  pi.on("model_select", () => beat());
  pi.on("session_before_compact", () => {
    compacting = true;
    settle();
  });
  for (const event of ["session_compact", "session_compact_failed"] as const) {
    pi.on(event, () => {
      compacting = false;
      settle();
    });
  }
  pi.on("ui_prompt_start", ({ kind, title }) => {
    prompts++;
    why = title ?? kind; // of a question of our own, `settle` knows better
    settle();
  });
  pi.on("ui_prompt_end", () => {
    prompts = Math.max(0, prompts - 1);
    if (prompts === 0) why = undefined;
    settle();
  });
  pi.on("before_agent_start", (event) => {
    const sections = event.systemPromptOptions?.sections;
    if (sections !== undefined) sections["mosaic"] = briefing(desk);
    return undefined;
  });
  pi.on("tool_call", (event, now) => {
    const call = { tool: event.toolName, input: event.input };
    const reason = beyond(desk.permissions, desk.workdir, call);
    if (reason === undefined) return undefined;
    return questions.ask(now, { what: wordsOf(call), reason });
  });
  pi.on("session_shutdown", ({ reason }) => {
    questions.close();
    if (reason === "quit") enter("draining");
    close();
  });
  registerFleetTools(pi, desk.mosaic);
}

/** What the model is told of itself, kept through compaction because it is part of the system prompt. */
function briefing(desk: ExtensionDesk): string {
  return `You are ${desk.agent}, the ${desk.role} in the fleet "${desk.fleet}". Others reach you by messages that say who sent them; what you write in your own terminal nobody else sees.

${desk.prompt}`.trim();
}

function oneLine(text: string): string {
  const line = text.replaceAll(/\s+/g, " ").trim();
  return line.length > 200 ? `${line.slice(0, 199)}…` : line;
}

/** The HTTP status that a provider's error begins with (`401: {…}`), else 500. */
const statusOf = (error: string | undefined): number => Number(/^\D{0,20}([45]\d\d)\b/.exec(error ?? "")?.[1] ?? 500);

/** Atomic, and never thrown into Pi: a full disk costs the beat, which then goes stale, which is the truth. */
function replace(path: string, text: string): void {
  try {
    writeFileSync(`${path}.tmp`, text, { mode: 0o600 });
    renameSync(`${path}.tmp`, path);
  } catch {
    // see above
  }
}
