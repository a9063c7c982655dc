import type { Connector } from "../connector/connector.ts";
import type { Approval, FleetControl } from "../contract/command.ts";
import type { Wiring } from "../contract/connector.ts";
import type { Store } from "../mail/store.ts";
import type { Ledger } from "./ledger.ts";
import type { Outbox } from "./outbox.ts";

/** The fleet, as the chat sees it. */
export interface Fleet {
  control: FleetControl;
  /** Who is in the roster. */
  agents(): Promise<readonly { name: string; role: string }[]>;
  /** What agents wait to be allowed. */
  approvals(): Promise<Approval[]>;
}

/** What every part of the chat acts on. */
export interface Parts {
  fleet: Fleet;
  mail: Store;
  ledger: Ledger;
  outbox: Outbox;
  /** Every account that is connected, as the roster says now. */
  wirings: () => readonly Wiring[];
  /** Looks at the roster now; where it cannot be read, what was read last holds. */
  reread: () => Promise<void>;
  now: () => number;
  log: (event: string, note: string) => void;
  /** Where files that came in or go out are kept. */
  files: string;
}

/** One connected account. */
export interface Account {
  name: string;
  connector: Connector;
  /** As the roster says now. */
  wiring: () => Wiring;
  /** Whom people talk to there. */
  agent: string;
  /** How long an answer may take before the agent is reminded of it. */
  answerWithinMs: number;
}
