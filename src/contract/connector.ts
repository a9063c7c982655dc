import type { Finding } from "./command.ts";

/** Chat services that a connector exists for. `console` is this machine's own terminal and needs no account. */
export const platforms = ["console", "discord"] as const;
export type Platform = (typeof platforms)[number];

/** One account at a chat service, as the roster wires it. Ids are the platform's own, never names. */
export interface Wiring {
  /** Its name in the roster, and of its secret's file. */
  account: string;
  platform: Platform;
  /** Who is talked to there; the orchestrator where none is named. */
  agent: string | undefined;
  /** Where the service is, where that is not the platform's own address (its own server, a test). */
  url: string | undefined;
  /** The server (Discord: guild) whose channels these are. */
  guild: string | undefined;
  /** Channels in which it listens and speaks. None means: direct messages only. */
  channels: readonly string[];
  /** Who may do everything, who may talk. An empty list means nobody. */
  owners: readonly string[];
  users: readonly string[];
  /** Whether somebody must mention it (or reply to it) in a channel to be heard. */
  mention: boolean;
}

/** How the way to a chat service stands. `needs-auth`: its token is refused, and only a person can mend that. */
export interface Health {
  state: "up" | "connecting" | "degraded" | "needs-auth" | "stopped";
  /** In ms since 1970, as all times here. */
  since: number;
  /** When the transport last proved that it lives (a heartbeat's answer, a poll's end). */
  aliveAt: number | undefined;
  detail?: string;
}

/** One account as `connect list` shows it. */
export interface Connection extends Wiring {
  hasToken: boolean;
  /** As the daemon sees it; null where no daemon is up to say. */
  health: Health | null;
}

/** A code that lets somebody in: made here, sent by them in the chat, and approved here. */
export interface Pairing {
  code: string;
  account: string;
  standing: "owner" | "user";
  expiresAt: number;
  /** Who has sent it. */
  claim: { speaker: string; name: string; chat: string } | undefined;
}

/** The accounts of the fleet, and who is let in. Everything here is the person's at this machine alone. */
export interface Connections {
  list(): Promise<Connection[]>;
  /** Throws what keeps such an account from being added, whatever its token is. */
  mayAdd(wiring: Wiring): Promise<void>;
  /** Looks whether the token and the channels are right, and only then keeps both; what was found is said. */
  add(wiring: Wiring, token: string): Promise<Finding[]>;
  /** The same look, and nothing is kept. */
  check(wiring: Wiring, token: string): Promise<Finding[]>;
  /** A new token for an account that there is: looked at, then kept. */
  renew(account: string, token: string): Promise<Finding[]>;
  /** Looks whether all is right; an account that was given up is then connected again. */
  test(account: string): Promise<Finding[]>;
  remove(account: string): Promise<void>;
  /** A new code; good for ten minutes and one person. */
  pair(account: string, standing: "owner" | "user"): Promise<Pairing>;
  pairings(): Promise<Pairing[]>;
  /** Lets in whoever has sent that code. */
  approve(code: string): Promise<Pairing>;
  /** Lets out, at once. */
  revoke(account: string, speaker: string): Promise<void>;
}
