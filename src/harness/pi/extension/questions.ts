import { tame } from "../../../lib/text.ts";
import type { Question } from "../wire.ts";
import type { PiContext } from "./pi-api.ts";

/** How much of a question the terminal shows; the list outside has it whole. */
const shown = 2_000;

type Decision = "allow" | "deny" | "gone";

/** What a person must allow first: asked in Pi's terminal and outside at once, and the first answer is the one that counts. */
export interface Questions {
  /** What waits now, oldest first. */
  list(): Question[];
  /** Waits for an answer. Whatever is not plainly allowed is blocked, with the sentence that the model reads. */
  ask(
    context: PiContext,
    about: Pick<Question, "what" | "reason">,
  ): Promise<{ block: true; reason: string } | undefined>;
  /** False where nobody waits for it any more. Resolves when its dialog has gone from the terminal. */
  answer(id: string, decision: "allow" | "deny"): Promise<boolean>;
  /** The conversation goes away, and every question with it. */
  close(): void;
}

export function openQuestions(agent: string, changed: () => void): Questions {
  const open = new Map<string, { question: Question; settle: (decision: Decision) => void }>();
  /** Pi 0.87 shows one dialog at a time, and forgets one that another took the place of. */
  let before: Promise<unknown> = Promise.resolve();

  function put(context: PiContext, about: Pick<Question, "what" | "reason">): Promise<Decision> {
    const { signal } = context;
    if (signal?.aborted) return Promise.resolve("gone");
    const question = { id: crypto.randomUUID().slice(0, 13), ...about, cwd: context.cwd, at: Date.now() };
    return new Promise((resolve) => {
      const dialog = new AbortController();
      const interrupted = () => settle("gone");
      const settle = (decision: Decision) => {
        if (!open.delete(question.id)) return; // somebody was first
        signal?.removeEventListener("abort", interrupted);
        dialog.abort();
        resolve(decision);
        // Pi says that the dialog has ended before it says anything else; until then it is no other state.
        setImmediate(changed);
      };
      open.set(question.id, { question, settle });
      changed();
      signal?.addEventListener("abort", interrupted);
      const text = tame(about.what);
      const rest = text.length > shown ? `\n… and ${text.length - shown} more characters` : "";
      context.ui
        .confirm(`May ${agent} do this? (${about.reason})`, `${text.slice(0, shown)}${rest}`, { signal: dialog.signal })
        .then((yes) => settle(yes ? "allow" : "deny"))
        .catch(() => settle("deny"));
    });
  }

  return {
    list: () => [...open.values()].map(({ question }) => question),

    async ask(context, about) {
      const decided = before.then(() => put(context, about));
      before = decided.catch(() => undefined);
      const decision = await decided.catch((): Decision => "deny");
      if (decision === "allow") return undefined;
      const why =
        decision === "gone"
          ? "Nobody has allowed it: the turn was interrupted while it was asked for."
          : `A person was asked and did not allow it: ${about.reason}.`;
      return { block: true, reason: why };
    },

    answer(id, decision) {
      const found = open.get(id);
      if (found === undefined) return Promise.resolve(false);
      found.settle(decision === "allow" ? "allow" : "deny"); // whatever came over the socket
      return new Promise((resolve) => {
        setImmediate(() => resolve(true));
      });
    },

    close() {
      for (const { settle } of open.values()) settle("gone");
    },
  };
}
