import { existsSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs";

import { writeAtomic } from "../../lib/atomic.ts";
import { FleetError } from "../../lib/errors.ts";
import { withLock } from "../../lib/lock.ts";
import { isLiving, signal } from "../../lib/proc.ts";
import { until } from "../../lib/wait.ts";
import type { Desk, Permission } from "../harness.ts";
import { questionsOf } from "./permission-hook.ts";
import { readConversation } from "./place.ts";
import { readSession, type Session } from "./registry.ts";
import type { Spooled } from "./spool.ts";

/** How long after its dialog a question may be written, and how long before it. Seen: 20 ms, both. */
const appearsMs = 1_000;
const aheadMs = 3_000;
/** How long Claude Code may take to do as it was answered. Seen: 50 ms. */
const takenMs = 5_000;

interface Process {
  pid: number;
  started: string;
}

/** A question as our hook wrote it down: who asks, and which process waits for the answer. */
interface Written {
  claude: Process;
  hook: Process;
  event: Spooled["event"] & { cwd?: string };
}

interface Asked extends Written {
  id: string;
  /** ms since 1970. */
  at: number;
  /** Where its answer goes. */
  answer: string;
  remove: () => void;
}

/** What the agent waits to be allowed, oldest first; throws where it waits for something that only its terminal can answer. */
export async function permissions(desk: Desk): Promise<Permission[]> {
  const session = sessionOf(desk);
  if (!isAsking(session)) return [];
  // Only a dialog that has just come up is worth waiting for: this is asked again and again.
  const withinMs = Math.min(appearsMs, Math.max(0, (session.statusUpdatedAt ?? 0) + appearsMs - Date.now()));
  const found = await until(
    () => {
      const open = openQuestions(desk);
      return open.length > 0 || !isAsking(sessionOf(desk)) ? open : undefined;
    },
    { withinMs },
  );
  if (found !== undefined) return found.map(permissionOf);
  throw new FleetError("conflict", `${desk.agent.name} can be answered in its own terminal only.`, {
    hint: `mosaic fleet attach ${desk.agent.name}`,
  });
}

/** Allows it this once, or denies it, and waits until Claude Code did so; the dialog in the terminal closes. */
export async function answerPermission(desk: Desk, permission: string, decision: "allow" | "deny"): Promise<void> {
  const { agent, place } = desk;
  const hint = `mosaic fleet explain ${agent.name}`;
  const late = () => new FleetError("conflict", `${agent.name} does not wait for that permission any more.`, { hint });
  await withLock(`${place.dir}/answer.lock`, { what: `an answer to ${agent.name}` }, async () => {
    const before = sessionOf(desk)?.statusUpdatedAt;
    const asked = openQuestions(desk).find(({ id }) => id === permission);
    if (asked === undefined) throw late();
    const at = Date.now();
    writeAtomic(asked.answer, `${decision}\n`);
    // Again and again: one that comes just before it begins to wait is not waited for.
    const ended = await until(() => (isLiving(asked.hook) ? void signal(asked.hook.pid, "SIGUSR1") : true), {
      withinMs: takenMs,
    });
    const taken = !existsSync(asked.answer);
    rmSync(asked.answer, { force: true });
    if (ended && !taken) throw late(); // put away in the terminal meanwhile
    const now = await until(
      () => {
        const since = sessionOf(desk)?.statusUpdatedAt;
        // Where another dialog comes up behind this one it may go on waiting.
        return since !== undefined && (since !== before || openQuestions(desk).length > 0) ? { since } : undefined;
      },
      { withinMs: takenMs },
    );
    // The terminal was first, by less than it takes to look.
    if (now !== undefined && now.since !== before && now.since < at) throw late();
    if (ended && now !== undefined) return;
    throw new FleetError("unreachable", `${agent.name} was told, and its dialog is still open.`, { hint });
  });
}

/** What earlier processes of this agent have left: files, and a hook that outlived a killed Claude Code. */
export function sweepQuestions(desk: Pick<Desk, "place">): void {
  for (const { claude, hook, remove } of allQuestions(desk)) {
    if (isLiving(hook) && isLiving(claude)) continue;
    if (isLiving(hook)) signal(hook.pid, "SIGTERM");
    remove();
  }
}

const isAsking = (session: Session | undefined): session is Session =>
  session?.status === "waiting" && session.waitingFor?.includes("permission") === true;

function sessionOf({ place }: Desk): Session | undefined {
  const config = readConversation(place.session)?.config;
  return config === undefined ? undefined : readSession(config, place);
}

/**
 * The question that its open dialog asks. Hooks of questions that the terminal has answered may live on for some seconds:
 * theirs are older than the dialog, or than another question.
 */
function openQuestions(desk: Desk): Asked[] {
  sweepQuestions(desk);
  const session = sessionOf(desk);
  if (!isAsking(session)) return [];
  const newest = allQuestions(desk)
    .filter(({ claude }) => claude.pid === session.pid && claude.started === session.procStart)
    .toSorted((a, b) => a.at - b.at)
    .at(-1);
  if (newest === undefined || newest.at < (session.statusUpdatedAt ?? 0) - aheadMs) return [];
  return existsSync(newest.answer) ? [] : [newest];
}

function allQuestions(desk: Pick<Desk, "place">): Asked[] {
  const folder = questionsOf(desk);
  let names: string[];
  try {
    names = readdirSync(folder);
  } catch {
    return [];
  }
  return names.flatMap((name) => {
    const [, id] = /^(.+)\.json$/.exec(name) ?? [];
    if (id === undefined) return [];
    const [file, answer] = [`${folder}/${name}`, `${folder}/${id}.answer`];
    try {
      const { claude, hook, event } = JSON.parse(readFileSync(file, "utf8")) as Written;
      const remove = () => [file, answer].forEach((path) => rmSync(path, { force: true }));
      return [{ id, at: statSync(file).mtimeMs, claude, hook, event, answer, remove }];
    } catch {
      return []; // answered just now
    }
  });
}

function permissionOf({ id, at, event }: Asked): Permission {
  const { tool_name: tool = "a tool", tool_input: input = {}, cwd } = event;
  const text = (key: string) => (typeof input[key] === "string" ? input[key] : undefined);
  const on = text("command") ?? text("file_path") ?? text("notebook_path") ?? text("url") ?? JSON.stringify(input);
  return { id, what: `${tool} ${on}`, cwd, reason: text("description"), at: Math.round(at) };
}
