/** After how many crashes within the window an agent is held, and how long each restart waits. */
export const breaker = { burst: 5, windowMs: 120_000 } as const;
const firstWaitMs = 1_000;
export const longestWaitMs = 60_000;

/** What to do about an agent that ended by itself. */
export type Verdict =
  | { do: "restart"; afterMs: number }
  | { do: "quarantine"; why: string }
  | { do: "leave"; why: string };

/**
 * Decides after a crash. `crashes` are the times of all its crashes in ms, the newest last and included. The first
 * restart is at once; the wait then doubles; a burst within the window is a fault that restarting does not mend.
 */
export function afterCrash(
  crashes: readonly number[],
  end: { code: number | undefined; rule: "always" | "on-failure" | "never" },
): Verdict {
  if (end.rule === "never") return { do: "leave", why: "it ended, and its restart rule is never" };
  if (end.rule === "on-failure" && end.code === 0) return { do: "leave", why: "it ended well (exit code 0)" };
  const newest = crashes.at(-1) ?? 0;
  const recent = crashes.filter((at) => newest - at < breaker.windowMs).length;
  if (recent >= breaker.burst) {
    const code = end.code === undefined ? "" : `, last with exit code ${end.code}`;
    return { do: "quarantine", why: `it ended ${recent} times within ${breaker.windowMs / 1000} s${code}` };
  }
  return { do: "restart", afterMs: recent <= 1 ? 0 : Math.min(longestWaitMs, firstWaitMs * 2 ** (recent - 2)) };
}
