/** What one account may still send: in any second only so much, and nothing while the platform wants to hear nothing of it. */
export interface Budget {
  /** When the next attempt may be made, in ms since 1970; not after now where it may be made at once. */
  nextAt(): number;
  /** An attempt is made. */
  spend(): void;
  /** For so long no attempt may be made. */
  rest(ms: number): void;
}

const secondMs = 1_000;

export function budgetOf(perSecond: number, now: () => number): Budget {
  /** When the newest attempts were made, oldest first. */
  const spent: number[] = [];
  let rest = { at: 0, ms: 0 };
  return {
    nextAt() {
      // What lies in the future is of a clock that was set back.
      if ((spent.at(-1) ?? 0) > now()) spent.length = 0;
      const oldest = spent.at(-perSecond);
      const rested = rest.at > now() ? 0 : rest.at + rest.ms;
      return Math.max(rested, oldest === undefined ? 0 : oldest + secondMs);
    },
    spend() {
      spent.push(now());
      if (spent.length > perSecond) spent.shift();
    },
    rest(ms) {
      const at = now();
      // Each lane is told for itself, and a later word of less is none of "sooner".
      if (rest.at > at || at + ms > rest.at + rest.ms) rest = { at, ms };
    },
  };
}
