import type { Target } from "../connector/connector.ts";
import type { Wiring } from "../contract/connector.ts";
import { FleetError } from "../lib/errors.ts";
import type { Store } from "../mail/store.ts";
import type { Ledger } from "./ledger.ts";
import type { Outbox } from "./outbox.ts";
import { ownersChat } from "./owner.ts";

/** How many reports one agent may make in a while: one that loops must not ring somebody's phone all night. */
const most = 30;
const windowMs = 10 * 60_000;
/** How long after an owner wrote to a worker that one may report to them. */
const recentMs = 24 * 3_600_000;

/** What an agent has to say to the person whose fleet it is, without having been asked in this very turn. */
export interface Report {
  id: string;
  agent: { name: string; role: string };
  text: string;
  /** A file that goes with it, where it lies for good. */
  file: { path: string; name: string } | undefined;
}

interface Parts {
  ledger: Ledger;
  outbox: Outbox;
  mail: Store;
  wirings: readonly Wiring[];
  now: number;
}

/**
 * Puts a report where the owner last wrote to that agent, else into each account's chat with an owner. Durable when it
 * returns; answers how many chats get it. A worker may report only to an owner who wrote to it.
 */
export function putReport({ ledger, outbox, mail, wirings, now }: Parts, report: Report): number {
  const { agent, id, text, file } = report;
  const places = placesFor({ ledger, mail, wirings, now }, agent);
  if (places.length === 0) {
    throw new FleetError(
      "conflict",
      `No owner has written to ${agent.name} by chat lately; there is nobody to report to.`,
      {
        hint: "tell whoever sent you the work: mosaic fleet send SENDER -",
      },
    );
  }
  return ledger.database.atOnce(() => {
    if (ledger.audited("report", agent.name, "report", now - windowMs) >= most) {
      throw new FleetError("conflict", `${agent.name} has reported ${most} times in ${windowMs / 60_000} minutes.`, {
        hint: "wait, and say it in one report",
      });
    }
    ledger.audit({ at: now, account: "report", chat: "", speaker: agent.name, message: id, decision: "report" });
    for (const { account, agent: spokenTo, ...to } of places) {
      const said = spokenTo === agent.name ? text : `${agent.name}: ${text}`;
      const key = `report ${id} ${account} ${to.chat}`;
      if (text !== "") outbox.sayLong(account, to, key, { text: said }, now);
      if (file !== undefined) outbox.say(account, to, `${key} file`, { kind: "file", ...file }, now);
    }
    return places.length;
  });
}

type Place = Target & { account: string; agent: string | undefined };

function placesFor({ ledger, mail, wirings, now }: Omit<Parts, "outbox">, agent: Report["agent"]): Place[] {
  const orchestrator = agent.role === "orchestrator" ? agent.name : undefined;
  const spokenTo = (account: string) => wirings.find((one) => one.account === account)?.agent ?? orchestrator;
  const asked = mail.list({ to: agent.name, last: 200 }).findLast((letter) => letter.from.kind === "owner");
  const heard = asked === undefined ? undefined : ledger.ofLetter(asked.id);
  if (heard !== undefined && now - heard.heardAt < recentMs && wirings.some((one) => one.account === heard.account)) {
    const { account, chat, thread } = heard;
    return [{ account, chat, thread, agent: spokenTo(account) }];
  }
  if (orchestrator === undefined) return [];
  return wirings.flatMap((wiring) => {
    const chat = ownersChat({ ledger }, wiring);
    return chat === undefined ? [] : [{ account: wiring.account, chat, agent: spokenTo(wiring.account) }];
  });
}
