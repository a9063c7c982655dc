import type { Wiring } from "../../contract/connector.ts";
import type { Capabilities, Connector } from "../connector.ts";
import { usualPace } from "./account.ts";
import type { Pace } from "./account.ts";
import { fetchFile } from "./files.ts";
import { listen } from "./listen.ts";
import { probeAccount } from "./probe.ts";
import { discordApi, restOf } from "./rest.ts";
import type { Rest } from "./rest.ts";
import { maxFile, sendOnce } from "./send.ts";

const capabilities: Capabilities = {
  maxText: 2_000,
  edit: true,
  mark: true,
  typing: true,
  choices: true,
  idempotentMs: 120_000, // "a few minutes" by Discord's word
  maxFile,
  editEveryMs: 1_200,
  perSecond: 40, // Discord allows a bot 50, and what is fetched counts too
};

/** One bot on Discord. */
export function openDiscord(wiring: Wiring, token: string, pace: Pace = usualPace): Connector {
  const base = wiring.url ?? discordApi;
  const ask = restOf(base, token);
  const revoked = new AbortController();
  /** Whoever is told first that the token is refused, the whole connector knows. */
  const rest: Rest = async (what, signal) => {
    const answer = await ask(what, signal);
    // A press or a command is acknowledged by a token of its own, which is over after a while.
    const isOurs = !what.path.startsWith("/interactions/");
    if (answer.kind === "never" && answer.status === 401 && isOurs) revoked.abort();
    return answer;
  };
  return {
    platform: "discord",
    capabilities,
    run: (around) => listen({ ...around, wiring, token, rest, pace, revoked: revoked.signal }),
    send: (out, signal) => sendOnce(rest, out, signal),
    probe: (signal) => probeAccount(wiring, ask, signal),
    fetch: (file, atMostBytes, signal) => fetchFile(file, { base, atMostBytes, signal }),
  };
}
