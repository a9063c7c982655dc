import type { Connector } from "../connector/connector.ts";
import type { Health, Wiring } from "../contract/connector.ts";
import type { Store } from "../mail/store.ts";
import { connect, type Connected } from "./account.ts";
import { putApprovals } from "./approvals.ts";
import { pruneFiles } from "./files.ts";
import { openLedger } from "./ledger.ts";
import { openOutbox } from "./outbox.ts";
import type { Fleet, Parts } from "./parts.ts";

/** How often agents' questions are looked for: while something goes on, and where nothing has happened for a while. */
const approvalsMs = 1_000;
const restMs = 15_000;
const lullMs = 60_000;
/** How long what is over is kept: ids for as long as they could come again. */
const keepMs = 60 * 86_400_000;
const dayMs = 86_400_000;

/** What the chat is made of; the daemon knows where to get it. */
export interface ChatSurroundings {
  fleet: Fleet;
  mail: Store;
  /** The chat's own database, and the folder for files. */
  path: string;
  files: string;
  /** Accounts as the roster says now. */
  wirings: () => Promise<readonly Wiring[]>;
  /** An account's connector, and the lock of whoever uses that account on this machine; undefined where its token is missing. */
  open: (wiring: Wiring) => Promise<{ connector: Connector; lockPath: string } | undefined>;
  /** What of an account's secret makes another connection. */
  secretMark: (account: string) => string;
  bell: () => { ring(): void; wait(atMostMs: number, signal: AbortSignal): Promise<void> };
  now: () => number;
  random: () => number;
  log: (event: string, note: string) => void;
}

/** The chat while it runs. */
export interface Chat {
  /** A message has changed, or an agent has done something. */
  ring(): void;
  /** The chat's database was written; perhaps by another process, which has something to be said. */
  written(): void;
  /** The roster may have changed: somebody who was let out is unheard from the next word on. */
  reread(): void;
  health(): ReadonlyMap<string, Health>;
  /** How much of each account waits to be sent. */
  counts(): ReadonlyMap<string, ReadonlyMap<string, number>>;
  done: Promise<void>;
}

/** Connects every account of the roster, and keeps to it as it changes, until the signal. */
export function runChat(around: ChatSurroundings, signal: AbortSignal): Chat {
  const ledger = openLedger(around.path);
  const connected = new Map<string, Connected & { mark: string; stop: AbortController }>();
  const missing = new Map<string, Health>();
  let wirings: readonly Wiring[] = [];
  let stirredAt = around.now();
  const parts: Parts = {
    fleet: around.fleet,
    mail: around.mail,
    ledger,
    outbox: openOutbox(ledger, (account) => connected.get(account)?.account.connector.capabilities.maxText ?? 2_000),
    wirings: () => wirings.filter(({ account }) => connected.has(account)),
    reread: async () => {
      wirings = await around.wirings().catch(() => wirings);
    },
    now: around.now,
    log: around.log,
    files: around.files,
  };
  const bell = around.bell();
  let lastFault = "";
  /** A fault that lasts is one line of the log, and not one a second. */
  const faultOnce = (words: string) => {
    if (words !== lastFault) around.log("chat-fault", words);
    lastFault = words;
  };

  async function keepToRoster(): Promise<void> {
    wirings = await around.wirings();
    const orchestrator = (await around.fleet.agents()).find((one) => one.role === "orchestrator")?.name ?? "";
    /** What of an account makes another connection: people come and go without one. */
    const markOf = ({ account, platform, agent, url, guild, channels }: Wiring): string =>
      JSON.stringify([platform, agent, url, guild, channels, orchestrator, around.secretMark(account)]);
    for (const [name, one] of connected) {
      const wanted = wirings.find(({ account }) => account === name);
      if (one.stop.signal.aborted || (wanted !== undefined && one.mark === markOf(wanted))) continue;
      one.stop.abort();
      // Its end may take a while, and nobody else waits for that.
      void one.done.finally(() => {
        connected.delete(name);
        bell.ring();
      });
    }
    for (const name of missing.keys()) if (!wirings.some(({ account }) => account === name)) missing.delete(name);
    for (const wiring of wirings) {
      const { account } = wiring;
      if (connected.has(account)) continue;
      // Looked at before it is read: what changes in between is another connection, a moment later.
      const mark = markOf(wiring);
      const lacks = (state: Health["state"], detail: string) => {
        const before = missing.get(account);
        const since = before?.detail === detail ? before.since : around.now();
        missing.set(account, { state, since, aliveAt: undefined, detail });
      };
      try {
        const opened = await around.open(wiring);
        if (opened !== undefined) {
          missing.delete(account);
          open(wiring, mark, opened, orchestrator);
          continue;
        }
        lacks("needs-auth", "its token is missing");
      } catch (error) {
        // One account's fault is no other's.
        const detail = error instanceof Error ? error.message : String(error);
        lacks("degraded", detail);
        faultOnce(`${account}: ${detail}`);
      }
    }
  }

  function open(
    wiring: Wiring,
    mark: string,
    opened: { connector: Connector; lockPath: string },
    orchestrator: string,
  ): void {
    const { account } = wiring;
    const stop = new AbortController();
    const nobody = { ...wiring, owners: [], users: [], channels: [] };
    const made = connect({
      ...parts,
      wiring: () => wirings.find((one) => one.account === account) ?? nobody,
      ...opened,
      orchestrator,
      signal: AbortSignal.any([signal, stop.signal]),
      random: around.random,
      bell: around.bell,
    });
    connected.set(account, { ...made, mark, stop });
  }

  async function run(): Promise<void> {
    let nextDay = 0;
    while (!signal.aborted) {
      try {
        await keepToRoster();
        if (around.now() >= nextDay) {
          nextDay = around.now() + dayMs;
          ledger.prune(around.now() - keepMs);
          pruneFiles(around.files, around.now() - keepMs);
          for (const one of connected.values()) one.renew();
        }
        putApprovals(parts, await around.fleet.approvals());
        for (const one of connected.values()) one.ring();
        if (missing.size === 0) lastFault = "";
      } catch (error) {
        faultOnce(error instanceof Error ? error.message : String(error));
      }
      await bell.wait(around.now() - stirredAt < lullMs ? approvalsMs : restMs, signal);
    }
    await Promise.all([...connected.values()].map((one) => one.done));
    ledger.database.close();
  }

  return {
    ring: () => {
      // After a lull the next look is at once.
      if (around.now() - stirredAt >= lullMs) bell.ring();
      stirredAt = around.now();
      for (const one of connected.values()) one.ring();
    },
    written: () => {
      if (ledger.database.hasChanged()) for (const one of connected.values()) one.ring();
    },
    reread: () => bell.ring(),
    health: () => new Map([...missing, ...[...connected].map(([name, one]) => [name, one.health()] as const)]),
    counts: () => new Map([...connected.keys()].map((name) => [name, parts.outbox.counts(name)] as const)),
    done: run(),
  };
}
