import { FleetError } from "../../lib/errors.ts";
import { until } from "../../lib/wait.ts";
import type { Desk, Permission } from "../harness.ts";
import { Refused } from "./channel.ts";
import { atServer } from "./server.ts";
import type { Asked, Question } from "./session.ts";
import { aboutOf, lookForOpen, wordsOf } from "./state.ts";

/** How long OpenCode may take for either. Seen: 20 ms. */
const answerMs = 3_000;

/** What the agent waits to be allowed or to be told, oldest first; its subagents' too. */
export const permissions = (desk: Desk): Promise<Permission[]> =>
  atServer(desk, answerMs, async (line) => {
    const { permissions: asked, questions } = await lookForOpen(line);
    const now = Date.now();
    const open = [...asked.map((one) => permissionOf(one, now)), ...questions.map((one) => questionOf(one, now))];
    return open.toSorted((a, b) => a.at - b.at);
  });

/**
 * Allows it this once, or denies it; the dialog in the terminal closes. A denial ends the turn, and denies whatever else
 * the same conversation waits for: OpenCode knows no other. A question that is
 * left without an answer ends the turn too.
 */
export const answer = (desk: Desk, permission: string, decision: "allow" | "deny"): Promise<void> =>
  settle(desk, permission, (kind) => {
    if (kind === "permission") return ["reply", { reply: decision === "allow" ? "once" : "reject" }];
    return decision === "deny" ? ["reject", {}] : undefined; // a question cannot be allowed
  });

/** OpenCode takes any words, and joins several labels by ", " for its model itself: joined before, they are the same. */
export const choose = (desk: Desk, permission: string, answers: readonly string[]): Promise<void> =>
  settle(desk, permission, (kind) =>
    kind === "question" ? ["reply", { answers: answers.map((one) => [one]) }] : undefined,
  );

type Kind = "permission" | "question";

/** OpenCode takes one answer to each, and says of a second one that it knows no such question. */
async function settle(desk: Desk, id: string, wordsFor: (kind: Kind) => [string, object] | undefined): Promise<void> {
  const done = await atServer(desk, answerMs, async (line) => {
    const kindNow = async () => {
      const { permissions: asked, questions } = await lookForOpen(line);
      if (asked.some((one) => one.id === id)) return "permission" as const;
      return questions.some((one) => one.id === id) ? ("question" as const) : undefined;
    };
    const kind = await kindNow();
    const words = kind && wordsFor(kind);
    if (kind === undefined || words === undefined) return false;
    const [verb, body] = words;
    try {
      await line.post(`/${kind}/${id}/${verb}`, body);
    } catch (error) {
      if (error instanceof Refused && error.status === 404) return false; // somebody was first
      throw error;
    }
    const isOver = async () => ((await kindNow()) === undefined ? true : undefined);
    return (await until(isOver, { withinMs: 1_000, everyMs: 10 })) ?? false;
  });
  if (done) return;
  throw new FleetError("conflict", `${desk.agent.name} does not wait for that permission any more.`, {
    hint: `mosaic fleet explain ${desk.agent.name}`,
  });
}

/** OpenCode says of a request what it is about, and not since when; but its id has the time. */
export function permissionOf(asked: Asked, now: number): Permission {
  const what = asked.permission === "bash" ? aboutOf(asked) : `${asked.permission} ${aboutOf(asked)}`;
  return { id: asked.id, what, cwd: undefined, reason: undefined, at: madeAt(asked.id, now) ?? now };
}

/** A question has the time in its id too. */
export function questionOf({ id, questions }: Question, now: number): Permission {
  return {
    id,
    what: wordsOf(questions),
    cwd: undefined,
    reason: undefined,
    at: madeAt(id, now) ?? now,
    questions: questions.map(({ question, options, multiple }) => ({
      text: question,
      options: options.map(({ label, description }) => ({ label, about: description || null })),
      several: multiple === true,
    })),
  };
}

/** When OpenCode made an id: it begins with the low 48 bits of ms × 4096, which come round every two years or so. */
export function madeAt(id: string, now: number): number | undefined {
  const hex = /^[a-z]+_([0-9a-f]{12})/.exec(id)?.[1];
  if (hex === undefined) return undefined;
  const round = 1n << 36n;
  const low = BigInt(`0x${hex}`) >> 12n;
  const high = BigInt(now) & ~(round - 1n);
  const at = high | low;
  return Number(at > BigInt(now) + round / 2n ? at - round : at);
}
