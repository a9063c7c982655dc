import { openLedger } from "../chat/ledger.ts";
import { openOutbox } from "../chat/outbox.ts";
import { endPairing, newPairing, pairings } from "../chat/pairing.ts";
import { connectorOf } from "../connector/index.ts";
import type { Finding } from "../contract/command.ts";
import type { Connections, Health, Pairing, Wiring } from "../contract/connector.ts";
import { connectorToken, hasConnectorToken } from "../fleet/credentials.ts";
import { addAccount, keepToken, letIn, refuseTaken, removeAccount, wiringNamed } from "../fleet/wire.ts";
import type { World } from "../fleet/world.ts";
import { FleetError } from "../lib/errors.ts";
import { readRoster } from "../roster/cache.ts";

/** How long a platform may take to be asked. */
const probeMs = 20_000;

/** The accounts of this fleet, changed from the command line; `health` asks the daemon, where one is up. */
export function connectionsOf(
  world: World,
  health: () => Promise<Readonly<Record<string, Health>> | undefined>,
): Connections {
  const { home } = world;
  const wirings = async () => (await readRoster(home.roster, home.cache, home.user)).connectors;

  async function withLedger<T>(work: (ledger: ReturnType<typeof openLedger>) => T): Promise<T> {
    const ledger = openLedger(home.chat);
    try {
      return work(ledger);
    } finally {
      ledger.database.close();
    }
  }

  async function probe(wiring: Wiring, token: string): Promise<Finding[]> {
    const connector = (await connectorOf(wiring.platform))(wiring, token);
    const found = await connector.probe(AbortSignal.timeout(probeMs));
    const people = wiring.owners.length + wiring.users.length;
    return [
      { level: "good", text: `${wiring.platform} knows the token: it is ${found.self.name} (${found.self.id})` },
      ...(found.warnings.length === 0
        ? [{ level: "good", text: "its channels and rights are as they should be" } as const]
        : []),
      ...found.warnings.map((text): Finding => ({ level: "note", text })),
      ...(people > 0
        ? []
        : [
            {
              level: "note",
              text: "nobody is let in yet, so nobody is heard",
              next: `mosaic fleet connect pair ${wiring.account}`,
            } as const,
          ]),
    ];
  }

  async function mayAdd(wiring: Wiring): Promise<void> {
    const { agents, connectors } = await readRoster(home.roster, home.cache, home.user);
    if (wiring.agent !== undefined && !agents.some(({ name }) => name === wiring.agent)) {
      const there = agents.map(({ name }) => name).join(", ");
      throw new FleetError("not-found", `There is no agent ${wiring.agent}. There are ${there}.`, {
        hint: "mosaic fleet ps",
      });
    }
    refuseTaken(world, connectors, wiring.account);
  }

  /** Of what is not kept yet nothing can be tested by its name: what is wrong is mended, and the same is typed again. */
  async function probeNew(
    wiring: Wiring,
    token: string,
    hint = "mend that, and type the same again",
  ): Promise<Finding[]> {
    try {
      return await probe(wiring, token);
    } catch (error) {
      if (!(error instanceof FleetError)) throw error;
      throw new FleetError(error.code, error.message, { hint, cause: error });
    }
  }

  return {
    async list() {
      const known = await health();
      return (await wirings()).map((wiring) => ({
        ...wiring,
        hasToken: hasConnectorToken(home, wiring.account),
        health: known?.[wiring.account] ?? null,
      }));
    },
    mayAdd,
    async add(wiring, token) {
      await mayAdd(wiring);
      const findings = await probeNew(wiring, token);
      await addAccount(world, wiring, token);
      return findings;
    },
    check: (wiring, token) => probeNew(wiring, token),
    async renew(account, token) {
      const wiring = wiringNamed(await wirings(), account);
      const where = `mend that (server, channels and people stand in ${home.roster}), then: mosaic fleet connect token ${account}`;
      const findings = await probeNew(wiring, token, where);
      keepToken(world, account, token);
      return findings;
    },
    async test(account) {
      const wiring = wiringNamed(await wirings(), account);
      const token = connectorToken(home, account);
      if (token === undefined) {
        throw new FleetError("not-found", `The token of ${account} is missing.`, {
          hint: `mosaic fleet connect token ${account}`,
        });
      }
      const findings = await probe(wiring, token);
      if ((await health())?.[account]?.state !== "needs-auth") return findings;
      // What was refused is tried no more by itself; the same token, kept anew, makes a new connection.
      keepToken(world, account, token);
      return [...findings, { level: "good", text: `the daemon had given it up; ${account} is connected again` }];
    },
    async remove(account) {
      await removeAccount(world, account);
      await withLedger((ledger) => ledger.forget(account));
    },
    async pair(account, standing) {
      wiringNamed(await wirings(), account);
      return withLedger((ledger) => newPairing(ledger, account, standing, world.now()));
    },
    pairings: () => withLedger((ledger) => pairings(ledger, world.now())),
    async approve(code) {
      const found = await withLedger((ledger) =>
        pairings(ledger, world.now()).find((one) => one.code === code.toUpperCase()),
      );
      if (found?.claim === undefined) throw unclaimed(code, found);
      const { account, standing, claim } = found;
      await letIn(world, account, claim.speaker, standing);
      await withLedger((ledger) => {
        endPairing(ledger, found.code);
        const text = `You are let in as ${standing}. /help says what you can do.`;
        const { speaker, chat } = claim;
        ledger.audit({
          at: world.now(),
          account,
          chat,
          speaker,
          message: found.code,
          decision: `paired as ${standing}`,
        });
        openOutbox(ledger, () => text.length).say(
          account,
          { chat },
          `paired ${found.code}`,
          { kind: "text", text },
          world.now(),
        );
      });
      return found;
    },
    revoke: (account, speaker) => letIn(world, account, speaker, undefined),
  };
}

const unclaimed = (code: string, found: Pairing | undefined): FleetError =>
  found === undefined
    ? new FleetError("not-found", `There is no code ${code}, or it is too old.`, {
        hint: "mosaic fleet connect pair list",
      })
    : new FleetError("conflict", `Nobody has sent the code ${found.code} yet.`, {
        hint: `ask them to write ${found.code} to the bot, in a direct message`,
      });
