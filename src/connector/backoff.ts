/** How long to wait before the next try: a random part of a span that doubles with each (full jitter). */
export interface Backoff {
  next(): number;
  reset(): void;
}

export function fullJitter(baseMs: number, capMs: number, random: () => number = Math.random): Backoff {
  let tries = 0;
  return {
    next: () => random() * Math.min(capMs, baseMs * 2 ** Math.min(tries++, 30)),
    reset: () => {
      tries = 0;
    },
  };
}
