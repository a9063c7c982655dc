import type { Connector, Inbound } from "../connector/connector.ts";
import type { Health, Wiring } from "../contract/connector.ts";
import { FleetError } from "../lib/errors.ts";
import { tryLock } from "../lib/lock.ts";
import { ownersChat } from "./approvals.ts";
import { follow } from "./follow.ts";
import { intakeFor, type AccountIntake } from "./intake.ts";
import { claimPairing } from "./pairing.ts";
import type { Account, Parts } from "./parts.ts";
import { routeWaiting } from "./router.ts";
import { sendWaiting } from "./sender.ts";

const dayMs = 86_400_000;
/** Of how many strangers a day the owner is told. */
const mostStrangers = 5;
const answerWithinMs = 30 * 60_000;

/** One account while it is connected. */
export interface Connected {
  account: Account;
  intake: AccountIntake;
  health: () => Health;
  /** Resolves when everything of it has ended. */
  done: Promise<void>;
  ring: () => void;
}

export interface ConnectParts extends Parts {
  wiring: () => Wiring;
  connector: Connector;
  orchestrator: string;
  lockPath: string;
  signal: AbortSignal;
  random: () => number;
  bell: () => { ring(): void; wait(atMostMs: number, signal: AbortSignal): Promise<void> };
}

/** Connects one account: listens, hands on, sends. One owner of an account at a time on this machine. */
export function connect(parts: ConnectParts): Connected {
  const { connector, signal, now, ledger } = parts;
  const wiring = parts.wiring();
  const name = wiring.account;
  const account: Account = { name, connector, agent: wiring.agent ?? parts.orchestrator, answerWithinMs };
  const bells = { route: parts.bell(), send: parts.bell() };
  const ring = () => {
    bells.route.ring();
    bells.send.ring();
  };
  let health: Health = { state: "connecting", since: now(), aliveAt: undefined };
  const tell = (next: Health) => {
    if (next.state !== health.state)
      parts.log(`connector-${next.state}`, next.detail === undefined ? name : `${name}: ${next.detail}`);
    health = next;
  };
  const intake = intakeFor(name, {
    ledger,
    wiring: parts.wiring,
    now,
    ring,
    onStranger: (inbound) => {
      if (claimPairing(ledger, name, inbound, now())) return;
      tellOfStranger(parts, name, inbound);
    },
  });
  const log = (event: string, note: string) => parts.log(event, `${name}: ${note}`);

  async function listen(): Promise<void> {
    try {
      await connector.run({ intake, signal, tell, log });
      tell({ state: "stopped", since: now(), aliveAt: health.aliveAt });
    } catch (error) {
      // Nothing is tried again by itself: a person must mend it, and the rest of the fleet goes on.
      const detail = error instanceof FleetError ? error.message : "an unexpected fault";
      tell({
        state: error instanceof FleetError ? "needs-auth" : "degraded",
        since: now(),
        aliveAt: health.aliveAt,
        detail,
      });
      if (!(error instanceof FleetError)) log("chat-fault", error instanceof Error ? error.message : String(error));
    }
  }

  async function route(): Promise<void> {
    while (!signal.aborted) {
      try {
        await routeWaiting(parts, account, intake);
        bells.send.ring();
        const nextMs = follow(parts, account);
        bells.send.ring();
        await bells.route.wait(nextMs, signal);
      } catch (error) {
        log("chat-fault", error instanceof Error ? error.message : String(error));
        await bells.route.wait(5_000, signal);
      }
    }
  }

  async function own(): Promise<void> {
    const lock = tryLock(parts.lockPath);
    if (lock === undefined) {
      tell({
        state: "degraded",
        since: now(),
        aliveAt: undefined,
        detail: "another process on this machine uses this account",
      });
      return;
    }
    try {
      const { outbox, random } = parts;
      const send = sendWaiting(
        { account: name, connector, outbox, now, random, log },
        (ms) => bells.send.wait(ms, signal),
        signal,
      );
      await Promise.all([listen(), route(), send]);
    } finally {
      lock.release();
    }
  }

  return { account, intake, health: () => health, done: own(), ring };
}

/** That there was somebody, and nothing of what they said. */
function tellOfStranger(parts: ConnectParts, name: string, { speaker, id, chat }: Inbound): void {
  const { ledger, outbox, now } = parts;
  const since = now() - dayMs;
  if (ledger.audited(name, speaker.id, "told of stranger", since) > 0) return;
  if (ledger.audited(name, "", "told of stranger", since) >= mostStrangers) return;
  ledger.audit({ at: now(), account: name, chat, speaker: speaker.id, message: id, decision: "told of stranger" });
  const who = `${speaker.name.replaceAll(/[^\p{L}\p{N} _.-]/gu, "").slice(0, 40)} (id ${speaker.id.replaceAll(/[^\w:.@-]/g, "").slice(0, 80)})`;
  parts.log("chat-stranger", `${name}: ${who}`);
  const home = ownersChat(parts, parts.wiring());
  if (home === undefined) return;
  const text = `Somebody who is not let in wrote on ${name}: ${who}. They got no answer. To let them in: mosaic fleet connect pair ${name}`;
  outbox.say(name, { chat: home }, `stranger ${name} ${speaker.id} ${now()}`, { kind: "text", text }, now());
}
