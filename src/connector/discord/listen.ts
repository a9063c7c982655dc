import { pause } from "../../lib/wait.ts";
import { fullJitter } from "../backoff.ts";
import { keepConnected } from "../keep-connected.ts";
import type { Link, Over } from "../keep-connected.ts";
import type { Listening } from "./account.ts";
import type { Patient } from "./backfill.ts";
import { converse } from "./gateway.ts";
import { hearing } from "./hearing.ts";
import type { Us } from "./inbound.ts";
import { fillMenu, menuPath } from "./menu.ts";

const longestPauseMs = 3_600_000;

const tokenRefused = "Discord refuses the bot's token: it was reset, or is not the whole token.";
/** What a person must mend, by the code with which the gateway closes. */
const needsPerson: Record<number, string> = {
  4004: tokenRefused,
  4010: "Discord refuses the connection (4010, invalid shard).",
  4011: "The bot is on too many servers for one connection (4011).",
  4012: "Discord does not speak this version of its gateway any more (4012); update mosaic.",
  4013: "Discord does not know the intents that mosaic asks for (4013); update mosaic.",
  4014: "The bot may not read messages: switch on Message Content Intent (Discord Developer Portal, your application, Bot, Privileged Gateway Intents).",
};

/** Listens over every outage, until the signal. Rejects only with what a person must mend. */
export async function listen(at: Listening): Promise<void> {
  const { wiring, rest, pace } = at;
  let us: Us | undefined;
  let isOffered = at.words.length === 0;
  let link: Link | undefined;
  const hears = hearing(at, (unreadable) => link?.up(unreadable));

  /** Asks until there is an answer, waiting as long as Discord asks for. */
  const patiently =
    (on: Link, until: AbortSignal): Patient =>
    async (ask) => {
      const waits = fullJitter(pace.baseMs, pace.redialMs);
      for (;;) {
        const answer = await rest(ask, AbortSignal.any([until, AbortSignal.timeout(pace.requestMs)]));
        if (until.aborted) throw new Error("It was stopped.");
        if (answer.kind === "ok" || answer.kind === "never") return answer;
        if (!on.isUp()) on.trouble(answer.why);
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
  async function lookUp(on: Link, ask: Patient): Promise<Us> {
    const me = await ask({ method: "GET", path: "/users/@me" });
    if (me.kind === "never") throw on.refuse(me.why);
    const { id, username } = me.body as { id?: string; username?: string };
    if (id === undefined) throw new Error("Discord does not say who the bot is.");
    const member = wiring.guild && (await ask({ method: "GET", path: `/guilds/${wiring.guild}/members/${id}` }));
    const { roles = [] } = (member && member.kind === "ok" ? member.body : {}) as { roles?: string[] };
    return { id, name: username ?? "", roles };
  }

  async function connect(on: Link): Promise<Over> {
    link = on;
    const gone = new AbortController();
    const until = AbortSignal.any([on.signal, gone.signal]);
    const ask = patiently(on, until);
    us ??= await lookUp(on, ask);
    await hears.begin(ask);
    const session = hears.session();
    let url = session?.url;
    if (url === undefined || on.failures() > 1) {
      const found = await ask({ method: "GET", path: "/gateway/bot" });
      if (found.kind === "never") throw on.refuse(found.why);
      const { url: usual, session_start_limit: limit } = found.body as GatewayInfo;
      url = usual ?? "";
      if (session === undefined && limit?.remaining === 0) {
        const resetMs = limit.reset_after ?? pace.capMs;
        const why = `Discord allows no new session for ${Math.ceil(resetMs / 60_000)} min.`;
        on.degraded(why);
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
      on.alive();
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
      if (broken !== undefined) return { why: broken };
      if (ending.sessionLost) hears.forgetSession();
      return { ...ending, mend: needsPerson[ending.code ?? 0] };
    } finally {
      gone.abort();
      await hears.idle();
      await offering;
    }
  }

  const { signal, tell, revoked } = at;
  const keeping = { signal, tell, revoked, account: wiring.account, waits: pace, whyRevoked: tokenRefused };
  return keepConnected(keeping, connect);
}

interface GatewayInfo {
  url?: string;
  session_start_limit?: { remaining?: number; reset_after?: number };
}
