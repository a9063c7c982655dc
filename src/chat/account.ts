import type { Connector } from "../connector/connector.ts";
import type { Health, Wiring } from "../contract/connector.ts";
import { FleetError } from "../lib/errors.ts";
import { tryLock, type Lock } from "../lib/lock.ts";
import { pause } from "../lib/wait.ts";
import { echoesOf } from "./echo.ts";
import { follow } from "./follow.ts";
import { intakeFor, type AccountIntake } from "./intake.ts";
import { words } from "./orders.ts";
import { tellOfAnother, tellOfStranger } from "./owner.ts";
import { claimPairing } from "./pairing.ts";
import type { Account, Parts } from "./parts.ts";
import { isPassing, routing } from "./router.ts";
import { sendWaiting } from "./sender.ts";

const answerWithinMs = 30 * 60_000;
/** How long until an account that somebody else has, or a connector that fell over, is tried again. */
const againMs = 5_000;
const refusalMs = 500;
/** How long the end waits for what is being handed on. */
const endMs = 2_000;

/** One account while it is connected. */
export interface Connected {
  account: Account;
  intake: AccountIntake;
  health: () => Health;
  /** Resolves when everything of it has ended. */
  done: Promise<void>;
  ring: () => void;
  /** Once in a while: what shows that its lock is still in use. */
  renew: () => void;
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
  const account: Account = {
    name,
    connector,
    wiring: parts.wiring,
    agent: wiring.agent ?? parts.orchestrator,
    answerWithinMs,
  };
  const bells = { route: parts.bell(), send: parts.bell() };
  const ring = () => {
    bells.route.ring();
    bells.send.ring();
  };
  let health: Health = { state: "connecting", since: now(), aliveAt: undefined };
  let upAt = 0;
  const tell = (next: Health) => {
    if (next.state !== health.state)
      parts.log(`connector-${next.state}`, next.detail === undefined ? name : `${name}: ${next.detail}`);
    if (next.state === "up" && health.state !== "up") {
      upAt = now();
      bells.send.ring();
    }
    // Tried and refused again is the same state as before.
    health = next.state === health.state ? { ...next, since: health.since } : next;
  };
  const echoes = echoesOf(name, parts.outbox, now);
  const intake = intakeFor(name, {
    ledger,
    wiring: parts.wiring,
    now,
    ring,
    onStranger: (inbound) => {
      if (!claimPairing(ledger, name, { inbound, standing: undefined }, now())) tellOfStranger(parts, inbound);
    },
    onEcho: (inbound) => echoes.saw(inbound),
    onUser: (inbound) => claimPairing(ledger, name, { inbound, standing: "user" }, now()),
  });
  const log = (event: string, note: string) => parts.log(event, `${name}: ${note}`);

  const fault = (error: unknown) => log("chat-fault", error instanceof Error ? error.message : String(error));

  async function listen(): Promise<void> {
    while (!signal.aborted) {
      try {
        await connector.run({ intake, words, signal, tell, log });
        return tell({ state: "stopped", since: now(), aliveAt: health.aliveAt });
      } catch (error) {
        const since = now();
        const { aliveAt } = health;
        // Nothing is tried again by itself: a person must mend it, and the rest of the fleet goes on.
        if (error instanceof FleetError && !isPassing(error))
          return tell({ state: "needs-auth", since, aliveAt, detail: error.message });
        const isWorded = error instanceof FleetError;
        tell({ state: "degraded", since, aliveAt, detail: isWorded ? error.message : "an unexpected fault" });
        if (!isWorded) fault(error);
      }
      await pause(againMs, signal);
    }
  }

  async function route(): Promise<void> {
    const routes = routing(parts, account, intake, { signal, ring });
    let nextLook = 0;
    while (!signal.aborted) {
      let nextMs = againMs;
      try {
        routes.begin();
        const began = performance.now();
        // Where thousands are on their way a look takes a while, and must not be all that is done.
        if (began >= nextLook) {
          nextMs = follow(parts, account);
          if (echoes.isAnother()) tellOfAnother(parts);
          nextLook = performance.now() + 4 * (performance.now() - began);
        } else nextMs = Math.ceil(nextLook - began);
        bells.send.ring();
      } catch (error) {
        fault(error);
      }
      await bells.route.wait(nextMs, signal);
    }
    // A command that takes longer is said to be cut off, by whoever is up next.
    const enough = new AbortController();
    await Promise.race([routes.idle(), pause(endMs, enough.signal)]);
    enough.abort();
  }

  /** The account's lock, as soon as nobody else has it. */
  async function lockOf(): Promise<Lock | undefined> {
    while (!signal.aborted) {
      let detail = "another process on this machine uses this account";
      try {
        const lock = tryLock(parts.lockPath);
        if (lock !== undefined) return lock;
      } catch (error) {
        detail = error instanceof Error ? error.message : String(error);
      }
      tell({ state: "degraded", since: now(), aliveAt: undefined, detail });
      await pause(againMs, signal);
    }
    return undefined;
  }

  let lock: Lock | undefined;
  async function own(): Promise<void> {
    lock = await lockOf();
    if (lock === undefined) return;
    try {
      const { outbox, random } = parts;
      const listening = listen();
      /** Whether it is refused shows a moment after the first refused request. */
      const isRefused = async () => {
        await Promise.race([listening, pause(refusalMs, signal)]);
        return health.state === "needs-auth";
      };
      const send = sendWaiting(
        { account: name, connector, outbox, now, random, log, isRefused, upAt: () => upAt },
        (ms, until) => bells.send.wait(ms, AbortSignal.any([signal, until])),
        signal,
      );
      await Promise.all([listening, route(), send]);
    } catch (error) {
      fault(error);
    } finally {
      lock.release();
      lock = undefined;
    }
  }

  function renew(): void {
    try {
      lock?.renew();
    } catch (error) {
      fault(error);
    }
  }

  return { account, intake, health: () => health, done: own(), ring, renew };
}
