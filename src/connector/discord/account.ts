import type { Wiring } from "../../contract/connector.ts";
import type { Surroundings } from "../connector.ts";
import type { Waits } from "../keep-connected.ts";
import type { Rest } from "./rest.ts";

/** How fast it beats, gives up and tries again, in ms. */
export interface Pace extends Waits {
  beatMs: number;
  /** Without any proof of life for so long, a connection is dead. */
  deadMs: number;
  /** So long a server that is said to come is waited for before what was missed is fetched; where it comes later, again then. */
  guildMs: number;
  /** Within so long a request must be answered. */
  requestMs: number;
}

export const usualPace: Pace = {
  beatMs: 10_000,
  deadMs: 25_000,
  guildMs: 5_000,
  requestMs: 20_000,
  baseMs: 1_000,
  capMs: 60_000,
  redialMs: 8_000,
  steadyMs: 60_000,
};

/** Where everything that listens to one account meets. */
export interface Listening extends Surroundings {
  wiring: Wiring;
  token: string;
  rest: Rest;
  pace: Pace;
  /** Aborted as soon as any request is told that the token is refused. */
  revoked: AbortSignal;
}
