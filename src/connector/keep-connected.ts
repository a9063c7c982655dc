import type { Health } from "../contract/connector.ts";
import { FleetError } from "../lib/errors.ts";
import { pause } from "../lib/wait.ts";
import { fullJitter } from "./backoff.ts";
import type { Surroundings } from "./connector.ts";

/** After so many failures in a row it is no passing thing. */
const failuresUntilDegraded = 3;

/** How long it waits between two connections, in ms. */
export interface Waits {
  baseMs: number;
  capMs: number;
  /** The longest wait where nobody answered: such a try costs nobody a session, and a person waits for the end of the outage. */
  redialMs: number;
  /** A connection that lasted so long was a good one: the waits begin anew. */
  steadyMs: number;
}

/** Why a connection is over. */
export interface Over {
  why: string;
  /** False where nobody answered the dial. */
  greeted?: boolean;
  /** What a person must mend before another one makes sense. */
  mend?: string | undefined;
}

/** What one connection after another shares. */
export interface Link {
  /** Aborted when it is to stop, or the token was refused by any request. */
  signal: AbortSignal;
  /** It stands, and nothing is missing any more; or what cannot be heard. */
  up(unheard: readonly string[]): void;
  /** Whether this connection is that far. */
  isUp(): boolean;
  /** The service has just proved that it lives. */
  alive(): void;
  /** Something went wrong that will be tried again. */
  trouble(why: string): void;
  /** It will take a while, and why. */
  degraded(why: string): void;
  /** How many failures there were in a row. */
  failures(): number;
  /** What ends everything: a person must mend it. */
  refuse(why: string): FleetError;
}

interface Keeping extends Pick<Surroundings, "tell" | "signal"> {
  account: string;
  waits: Waits;
  /** Aborted as soon as any request is told that the token is refused, and what that means. */
  revoked: AbortSignal;
  whyRevoked: string;
}

/**
 * Opens one connection after another until the signal, over every outage, and tells how it stands, each change once.
 * Rejects only with what a person must mend.
 */
export async function keepConnected(at: Keeping, connect: (link: Link) => Promise<Over>): Promise<void> {
  const { waits } = at;
  const signal = AbortSignal.any([at.signal, at.revoked]);
  const health = healthTeller(at.tell);
  const backoff = fullJitter(waits.baseMs, waits.capMs);
  const redial = fullJitter(waits.baseMs, waits.redialMs);
  let failures = 0;
  let upSince: number | undefined;
  /** Any other error, also of a full disk, passes. */
  let refusal: FleetError | undefined;
  const link: Link = {
    signal,
    up(unheard) {
      upSince = performance.now();
      failures = 0;
      health.say(unheard.length === 0 ? "up" : "degraded", unheard.length === 0 ? undefined : unheard.join(" "));
      health.alive();
    },
    isUp: () => upSince !== undefined,
    alive: () => health.alive(),
    trouble: (why) => health.say(failures++ < failuresUntilDegraded ? "connecting" : "degraded", why),
    degraded: (why) => health.say("degraded", why),
    failures: () => failures,
    refuse: (why) => (refusal = new FleetError("conflict", why, { hint: `mosaic fleet connect test ${at.account}` })),
  };

  /** One connection to its end; what it rejects with is its end too, unless a person must mend it. */
  async function connectOnce(): Promise<Over> {
    try {
      return await connect(link);
    } catch (error) {
      const why = error instanceof Error ? error.message : "It failed without a reason.";
      return error === refusal ? { why, mend: why } : { why };
    }
  }

  health.say("connecting");
  while (!signal.aborted) {
    upSince = undefined;
    const { why, greeted, mend } = await connectOnce();
    if (signal.aborted) break;
    if (mend !== undefined) {
      health.say("needs-auth", mend);
      throw link.refuse(mend);
    }
    if (upSince !== undefined && performance.now() - upSince > waits.steadyMs) backoff.reset();
    link.trouble(why);
    if (greeted === true) redial.reset();
    await pause((greeted === false ? redial : backoff).next(), signal);
  }
  if (!at.signal.aborted) {
    health.say("needs-auth", at.whyRevoked);
    throw link.refuse(at.whyRevoked);
  }
  health.say("stopped");
}

/** Tells each change once. */
function healthTeller(tell: (health: Health) => void) {
  let told: Health = { state: "stopped", since: Date.now(), aliveAt: undefined };
  const say = (next: Health) => {
    told = next;
    tell(next);
  };
  return {
    say(state: Health["state"], detail?: string): void {
      if (told.state === state && told.detail === detail) return;
      const since = told.state === state ? told.since : Date.now();
      say({ state, since, aliveAt: told.aliveAt, ...(detail !== undefined && { detail }) });
    },
    alive(): void {
      const aliveAt = Date.now();
      if (aliveAt !== told.aliveAt) say({ ...told, aliveAt });
    },
  };
}
