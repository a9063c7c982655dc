/**
 * What Claude Code's inbox admits from one sending process, measured on 2.1.330; what is above it, it drops without a
 * word. It tells senders apart by their pid, so what is remembered here, in this process, is all that counts.
 */
const burst = 30;
const refillMs = 2_000;
/** The same text as the one just before is dropped for so long. */
const repeatMs = 30_000;
/** Its clock runs from when it reads a line, which is later than when that was written. */
const slackMs = 250;

interface Sent {
  tokens: number;
  at: number;
  text: string;
}

export interface Pace {
  /** How long to wait until this text may be sent, in ms. */
  wait(text: string, now: number): number;
  /** It was sent. */
  spend(text: string, now: number): void;
}

export function newPace(): Pace {
  let sent: Sent | undefined;
  const tokensAt = (now: number) =>
    sent === undefined ? burst : Math.min(burst, sent.tokens + (now - sent.at) / refillMs);
  return {
    wait(text, now) {
      if (sent === undefined) return 0;
      const forToken = Math.max(0, Math.ceil((1 - tokensAt(now)) * refillMs));
      const forRepeat = sent.text === text ? Math.max(0, sent.at + repeatMs + slackMs - now) : 0;
      return Math.max(forToken === 0 ? 0 : forToken + slackMs, forRepeat);
    },
    spend(text, now) {
      sent = { tokens: tokensAt(now) - 1, at: now, text };
    },
  };
}

const paces = new Map<string, Pace>();

/** The pace of this process towards one Claude Code. */
export function paceOf(process: string): Pace {
  const known = paces.get(process) ?? newPace();
  paces.set(process, known);
  return known;
}
