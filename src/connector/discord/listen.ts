import type { Health } from "../../contract/connector.ts";
import { FleetError } from "../../lib/errors.ts";
import { pause } from "../../lib/wait.ts";
import { fullJitter } from "../backoff.ts";
import type { Listening } from "./account.ts";
import type { Patient } from "./backfill.ts";
import { converse } from "./gateway.ts";
import type { Ending } from "./gateway.ts";
import { hearing } from "./hearing.ts";
import type { Us } from "./inbound.ts";
import { fillMenu, menuPath } from "./menu.ts";

const longestPauseMs = 3_600_000;
/** After so many failures in a row it is no passing thing. */
const failuresUntilDegraded = 3;

/** What a person must mend, by the code with which the gateway closes. */
const needsPerson: Record<number, string> = {
  4004: "Discord refuses the bot's token: it was reset, or is not the whole token.",
  4010: "Discord refuses the connection (4010, invalid shard).",
  4011: "The bot is on too many servers for one connection (4011).",
  4012: "Discord does not speak this version of its gateway any more (4012); update mosaic.",
  4013: "Discord does not know the intents that mosaic asks for (4013); update mosaic.",
  4014: "The bot may not read messages: switch on Message Content Intent (Discord Developer Portal, your application, Bot, Privileged Gateway Intents).",
};

/** Listens over every outage, until the signal. Rejects only with what a person must mend. */
export async function listen(at: Listening): Promise<void> {
  const { wiring, rest, pace } = at;
  const signal = AbortSignal.any([at.signal, at.revoked]);
  const health = healthTeller(at);
  const backoff = fullJitter(pace.baseMs, pace.capMs);
  const redial = fullJitter(pace.baseMs, pace.redialMs);
  const refuse = (why: string) =>
    new FleetError("conflict", why, { hint: `mosaic fleet connect test ${wiring.account}` });
  let us: Us | undefined;
  let failures = 0;
  let isOffered = at.words.length === 0;
  /** When this connection had fetched everything; undefined until then. */
  let openSince: number | undefined;
  const trouble = (why: string) => health.say(failures++ < failuresUntilDegraded ? "connecting" : "degraded", why);

  const hears = hearing(at, (unreadable) => {
    openSince = performance.now();
    failures = 0;
    health.say(unreadable.length === 0 ? "up" : "degraded", unreadable.length === 0 ? undefined : unreadable.join(" "));
    health.alive();
  });

  /** Asks until there is an answer, waiting as long as Discord asks for. */
  const patiently =
    (until: AbortSignal): Patient =>
    async (ask) => {
      const waits = fullJitter(pace.baseMs, pace.redialMs);
      for (;;) {
        const answer = await rest(ask, AbortSignal.any([until, AbortSignal.timeout(pace.requestMs)]));
        if (until.aborted) throw new Error("It was stopped.");
        if (answer.kind === "ok" || answer.kind === "never") return answer;
        if (openSince === undefined) trouble(answer.why);
        await pause(Math.max(answer.kind === "later" ? (answer.afterMs ?? 0) : 0, waits.next()), until);
      }
    };

  /** Once it is known that this is done, or cannot be, it is not tried again. */
  async function offerWords(ask: Patient): Promise<void> {
    const application = await ask({ method: "GET", path: "/applications/@me" });
    const { id } = (application.kind === "ok" ? application.body : {}) as { id?: string };
    const why =
      id === undefined ? "Discord does not name the application." : await fillMenu(at.words, menuPath(id, wiring), ask);
    isOffered = true;
    if (why !== undefined) at.log("discord-menu", `Its commands are not in Discord's menu: ${why}`);
  }

  /** Looks who we are; of the roles only what is told. */
  async function lookUp(ask: Patient): Promise<Us> {
    const me = await ask({ method: "GET", path: "/users/@me" });
    if (me.kind === "never") throw refuse(me.why);
    const { id, username } = me.body as { id?: string; username?: string };
    if (id === undefined) throw new Error("Discord does not say who the bot is.");
    const member = wiring.guild && (await ask({ method: "GET", path: `/guilds/${wiring.guild}/members/${id}` }));
    const { roles = [] } = (member && member.kind === "ok" ? member.body : {}) as { roles?: string[] };
    return { id, name: username ?? "", roles };
  }

  async function connect(): Promise<Ending> {
    const gone = new AbortController();
    const until = AbortSignal.any([signal, gone.signal]);
    const ask = patiently(until);
    us ??= await lookUp(ask);
    await hears.begin(ask);
    const session = hears.session();
    let url = session?.url;
    if (url === undefined || failures > 1) {
      const found = await ask({ method: "GET", path: "/gateway/bot" });
      if (found.kind === "never") throw refuse(found.why);
      const { url: usual, session_start_limit: limit } = found.body as GatewayInfo;
      url = usual ?? "";
      if (session === undefined && limit?.remaining === 0) {
        const resetMs = limit.reset_after ?? pace.capMs;
        const why = `Discord allows no new session for ${Math.ceil(resetMs / 60_000)} min.`;
        health.say("degraded", why);
        await pause(Math.min(resetMs, longestPauseMs), until);
        return { why };
      }
    }
    let broken: string | undefined;
    const fail = (error: unknown) => {
      if (until.aborted) return;
      broken ??= error instanceof Error ? error.message : "What was missed could not be fetched.";
      gone.abort();
    };
    // Beside everything else, and nothing depends on it; what a lost connection cut off the next one does.
    const offering = isOffered ? undefined : offerWords(ask).catch(() => {});
    const alive = () => {
      health.alive();
      try {
        hears.flush();
      } catch (error) {
        fail(error);
      }
    };
    try {
      const take = hears.taker(us, ask, until, fail);
      const ending = await converse({
        url,
        token: at.token,
        session,
        pace,
        signal: until,
        take,
        alive,
        over: () => gone.abort(),
      });
      return broken === undefined ? ending : { why: broken };
    } finally {
      gone.abort();
      await hears.idle();
      await offering;
    }
  }

  health.say("connecting");
  while (!signal.aborted) {
    let ending: Ending;
    openSince = undefined;
    try {
      ending = await connect();
    } catch (error) {
      if (error instanceof FleetError && !at.revoked.aborted) {
        health.say("needs-auth", error.message);
        throw error;
      }
      ending = { why: error instanceof Error ? error.message : "It failed without a reason." };
    }
    if (signal.aborted) break;
    const fatal = needsPerson[ending.code ?? 0];
    if (fatal !== undefined) {
      health.say("needs-auth", fatal);
      throw refuse(fatal);
    }
    if (ending.sessionLost) hears.forgetSession();
    if (openSince !== undefined && performance.now() - openSince > pace.steadyMs) backoff.reset();
    trouble(ending.why);
    if (ending.greeted === true) redial.reset();
    await pause((ending.greeted === false ? redial : backoff).next(), signal);
  }
  if (!at.signal.aborted) {
    health.say("needs-auth", needsPerson[4004]);
    throw refuse(needsPerson[4004] ?? "");
  }
  health.say("stopped");
}

interface GatewayInfo {
  url?: string;
  session_start_limit?: { remaining?: number; reset_after?: number };
}

/** Tells each change once. */
function healthTeller(at: Listening) {
  let told: Health = { state: "stopped", since: Date.now(), aliveAt: undefined };
  const tell = (next: Health) => {
    told = next;
    at.tell(next);
  };
  return {
    say(state: Health["state"], detail?: string): void {
      if (told.state === state && told.detail === detail) return;
      const isNew = told.state !== state;
      const since = isNew ? Date.now() : told.since;
      tell({ state, since, aliveAt: told.aliveAt, ...(detail !== undefined && { detail }) });
    },
    alive(): void {
      const aliveAt = Date.now();
      if (aliveAt !== told.aliveAt) tell({ ...told, aliveAt });
    },
  };
}
