import { Encoding, WebSocketShard, WebSocketShardEvents } from "@discordjs/ws";
import type { IContextFetchingStrategy, SessionInfo } from "@discordjs/ws";
import { GatewayDispatchEvents, GatewayIntentBits, GatewayOpcodes } from "discord-api-types/v10";

/** What a later connection needs to get what this one missed. */
export interface Session {
  id: string;
  url: string;
  /** Of the last event that is stored. */
  sequence: number;
}

/** One event, as the gateway numbers them. */
export interface Event {
  name: string;
  sequence: number;
  data: unknown;
}

export interface Call {
  url: string;
  token: string;
  /** To be resumed; a new one is begun where there is none. */
  session: Session | undefined;
  pace: { beatMs: number; deadMs: number };
  /** Hangs up; the session stays resumable. */
  signal: AbortSignal;
  /** In the gateway's order; the next event waits for it. When it fails the connection ends. */
  take(event: Event): Promise<void>;
  /** The gateway has just proved that it lives. */
  alive(): void;
  /** The connection is over; what is still being taken should hurry. */
  over(): void;
}

/** Why a connection is over. */
export interface Ending {
  why: string;
  code?: number;
  /** The gateway does not know the session any more. */
  sessionLost?: boolean;
  /** The gateway had answered the dial. */
  greeted?: boolean;
}

const intents: GatewayIntentBits =
  GatewayIntentBits.Guilds |
  GatewayIntentBits.GuildMessages |
  GatewayIntentBits.DirectMessages |
  GatewayIntentBits.MessageContent;
const sessionEnded = new Set([4003, 4005, 4007, 4009]);

/** One connection to the gateway, from the dial to its end. It never dials again by itself. */
export function converse(call: Call): Promise<Ending> {
  if (!/^wss?:\/\/[^\s]+$/.test(call.url)) return Promise.resolve({ why: "The gateway's address is none." });
  return new Promise((resolve) => {
    let over = false;
    let greeted = false;
    let refused = false;
    let settled = false;
    let lastProof = performance.now();
    let work = Promise.resolve();
    let known: SessionInfo | null =
      call.session === undefined
        ? null
        : {
            sessionId: call.session.id,
            resumeURL: call.session.url,
            sequence: call.session.sequence,
            shardId: 0,
            shardCount: 1,
          };
    const strategy: IContextFetchingStrategy = {
      options: {
        token: call.token,
        intents,
        compression: null,
        encoding: Encoding.JSON,
        // We give up before the library does. It must not give up a dial that still rings: see `end`.
        handshakeTimeout: call.pace.deadMs,
        helloTimeout: 2 * call.pace.deadMs,
        readyTimeout: 2 * call.pace.deadMs,
        identifyProperties: { browser: "mosaic-fleet", device: "mosaic-fleet", os: process.platform },
        initialPresence: null,
        largeThreshold: null,
        useIdentifyCompression: false,
        version: "10",
        shardCount: 1,
        gatewayInformation: {
          url: call.url,
          shards: 1,
          session_start_limit: { total: 1, remaining: 1, reset_after: 0, max_concurrency: 1 },
        },
      },
      // The library dials again by itself, each half second and without end, and cannot be told not to. It asks here
      // before it does; a connection that is over gets no answer.
      retrieveSessionInfo: () => (over ? new Promise<null>(() => {}) : known && { ...known, resumeURL: call.url }),
      updateSessionInfo: (_, session) => {
        if (over) return;
        refused ||= session === null;
        known = session;
      },
      waitForIdentify: () => (over ? new Promise<void>(() => {}) : Promise.resolve()),
    };
    const shard = new WebSocketShard(strategy, 0);

    const end = (ending: Ending) => {
      if (over) return;
      over = true;
      clearInterval(beating);
      call.signal.removeEventListener("abort", hangUp);
      // Any code but 1000 and 1001 leaves the session resumable. Closing in the middle of the dial would leave the
      // library's socket without anybody to hear of its failure, and that ends the process; so it is closed once it is open.
      const close = () => void shard.destroy({ code: 4200, reason: "over" }).catch(() => {});
      if (greeted) close();
      else shard.once(WebSocketShardEvents.Hello, () => setImmediate(close));
      call.over();
      // One event at a time, also across connections.
      void work.then(() => resolve({ ...ending, sessionLost: ending.sessionLost ?? refused, greeted }));
    };
    const hangUp = () => end({ why: "stopped" });
    let failed = false;
    const take = async (before: Promise<void>, event: Event): Promise<void> => {
      await before;
      if (failed) return;
      try {
        await call.take(event);
      } catch (error) {
        failed = true;
        // Not within this very turn of `work`, whose end it waits for.
        setImmediate(() => end({ why: `An event could not be kept: ${wordsOf(error)}` }));
      }
    };

    shard.on(WebSocketShardEvents.Error, () => {});
    shard.on(WebSocketShardEvents.SocketError, (error) =>
      end({ why: `The gateway cannot be reached (${wordsOf(error)}).` }),
    );
    shard.on(WebSocketShardEvents.Closed, (code) =>
      end({
        why: `The gateway closed the connection (${code}).`,
        code,
        ...(sessionEnded.has(code) && { sessionLost: true }),
      }),
    );
    shard.on(WebSocketShardEvents.Hello, () => {
      greeted = true;
    });
    shard.on(WebSocketShardEvents.HeartbeatComplete, () => {
      lastProof = performance.now();
      if (!over) call.alive();
    });
    shard.on(WebSocketShardEvents.Dispatch, (payload) => {
      if (over) return;
      lastProof = performance.now();
      settled ||= payload.t === GatewayDispatchEvents.Ready || payload.t === GatewayDispatchEvents.Resumed;
      const event = { name: payload.t, sequence: payload.s, data: payload.d };
      work = take(work, event);
    });
    // Discord asks for a beat every 41 s; a connection that died silently would be noticed after 82. So we beat faster.
    const beating = setInterval(() => {
      if (performance.now() - lastProof > call.pace.deadMs) return end({ why: "The gateway has stopped answering." });
      if (settled) void shard.send({ op: GatewayOpcodes.Heartbeat, d: known?.sequence ?? null }).catch(() => {});
    }, call.pace.beatMs);
    call.signal.addEventListener("abort", hangUp);
    if (call.signal.aborted) return hangUp();
    void shard.connect().catch(() => {});
  });
}

function wordsOf(error: unknown): string {
  const code = error instanceof Error && "code" in error ? error.code : undefined;
  return typeof code === "string" ? code : error instanceof Error ? error.message : "no reason given";
}
