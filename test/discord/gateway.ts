import { randomUUID } from "node:crypto";

import type { WebSocket } from "ws";

import type { World } from "./world.ts";

interface Dispatch {
  op: 0;
  s: number;
  t: string;
  d: Record<string, unknown>;
}
interface Session {
  id: string;
  log: Dispatch[];
  hearsContent: boolean;
  /** Whether it is told what happens on the server; before that nothing of it is kept either. */
  hearsGuild: boolean;
  socket: WebSocket | undefined;
}
const contentIntent = 1 << 15;
/** Refuses, and there is no session then. */
function refuse(how: () => void): undefined {
  how();
}

/** How the gateway behaves; each is changed while it runs. */
export interface GatewayMood {
  token: string;
  heartbeatMs: number;
  identifiesLeft: number;
  /** When it allows identifying again, by its own word. */
  resetAfterMs: number;
  contentAllowed: boolean;
  /** Whether the bot was invited with the right to have slash commands. */
  menuAllowed: boolean;
  /** How far Discord's clock is ahead of this machine's. */
  aheadMs: number;
  /** So many RESUMEs more are refused. */
  refuseResumes: number;
  /** So many events more are sent twice. */
  duplicate: number;
  /** So many events more are kept back, and then sent newest first. */
  shuffle: number;
  delayMs: number;
  /** Answers nothing and sends nothing, but keeps the connection: a half-open one. */
  isFrozen: boolean;
  /** Where sessions are to be resumed, where that is another address. */
  resumeUrl: string | undefined;
  /** So long after READY the server is available to a session. */
  guildAfterMs: number;
  /** So long after it was done a request is answered. */
  answerAfterMs: number;
  /** Whether the bot was invited to the other server as well. */
  isOnBoth: boolean;
  /** Whether the bot was let out of the server. */
  isExpelled: boolean;
  /** So many HELLOs more come without what belongs to them. */
  emptyHellos: number;
  /** So many connections more end right after HELLO. */
  hangUps: number;
}

export function createGateway(world: () => World, url: () => string, mood: GatewayMood) {
  const sessions = new Map<string, Session>();
  const sockets = new Set<WebSocket>();
  const counts = { dials: 0, identifies: 0, resumes: 0, resumed: 0, connections: 0, beats: 0 };
  /** What waits for the thaw, in order. */
  let frozen: (() => void)[] = [];
  let shuffled: { name: string; data: Record<string, unknown> }[] = [];

  const whenThawed = (act: () => void) => (mood.isFrozen ? void frozen.push(act) : act());
  const write = (socket: WebSocket | undefined, frame: unknown) =>
    whenThawed(() => {
      const send = () => socket?.readyState === 1 && socket.send(JSON.stringify(frame));
      if (mood.delayMs > 0) setTimeout(send, mood.delayMs);
      else send();
    });

  function dispatch(session: Session, name: string, data: Record<string, unknown>): void {
    const shown = session.hearsContent || data["guild_id"] === undefined ? data : { ...data, content: "" };
    const frame: Dispatch = { op: 0, s: session.log.length + 1, t: name, d: structuredClone(shown) };
    session.log.push(frame);
    write(session.socket, frame);
    if (mood.duplicate > 0 && name !== "READY") {
      mood.duplicate--;
      write(session.socket, frame);
    }
  }

  function emit(name: string, data: Record<string, unknown>): void {
    if (mood.shuffle > 0) {
      shuffled.push({ name, data: structuredClone(data) });
      if (--mood.shuffle > 0) return;
      const late = shuffled.toReversed();
      shuffled = [];
      for (const event of late) emit(event.name, event.data);
      return;
    }
    for (const session of sessions.values()) {
      if (session.hearsGuild || data["guild_id"] === undefined) dispatch(session, name, data);
    }
  }

  function identify(socket: WebSocket, data: { token?: string; intents?: number }): Session | undefined {
    counts.identifies++;
    if (data.token !== mood.token) return refuse(() => socket.close(4004, "Authentication failed."));
    const asksContent = ((data.intents ?? 0) & contentIntent) !== 0;
    if (asksContent && !mood.contentAllowed) return refuse(() => socket.close(4014, "Disallowed intent(s)."));
    if (mood.identifiesLeft-- <= 0) return refuse(() => write(socket, { op: 9, d: false }));
    const session: Session = { id: randomUUID(), log: [], hearsContent: asksContent, hearsGuild: false, socket };
    sessions.set(session.id, session);
    const { guild, bot } = world();
    dispatch(session, "READY", {
      v: 10,
      user: bot,
      guilds: [{ id: guild, unavailable: true }],
      session_id: session.id,
      resume_gateway_url: mood.resumeUrl ?? url(),
      application: { id: bot.id },
    });
    const arrive = () => {
      session.hearsGuild = true;
      dispatch(session, "GUILD_CREATE", { id: guild, name: "double", roles: world().roles, threads: [] });
    };
    if (mood.guildAfterMs > 0) setTimeout(arrive, mood.guildAfterMs);
    else arrive();
    return session;
  }

  function resume(socket: WebSocket, data: { token?: string; session_id?: string; seq?: number }): Session | undefined {
    counts.resumes++;
    if (data.token !== mood.token) return refuse(() => socket.close(4004, "Authentication failed."));
    const session = sessions.get(data.session_id ?? "");
    if (session === undefined || mood.refuseResumes > 0) {
      if (mood.refuseResumes > 0) mood.refuseResumes--;
      sessions.delete(data.session_id ?? "");
      return refuse(() => write(socket, { op: 9, d: false }));
    }
    const seq = data.seq ?? 0;
    if (seq > session.log.length) return refuse(() => socket.close(4007, "Invalid seq."));
    session.socket = socket;
    for (const missed of session.log.filter((one) => one.s > seq)) write(socket, missed);
    dispatch(session, "RESUMED", {});
    counts.resumed++;
    return session;
  }

  function connect(socket: WebSocket): void {
    counts.connections++;
    sockets.add(socket);
    let session: Session | undefined;
    socket.on("close", (code) => {
      sockets.delete(socket);
      if (session?.socket === socket) session.socket = undefined;
      // So a client says that it will not come back.
      if (session !== undefined && (code === 1000 || code === 1001)) sessions.delete(session.id);
    });
    socket.on("error", () => {});
    write(socket, mood.emptyHellos-- > 0 ? { op: 10 } : { op: 10, d: { heartbeat_interval: mood.heartbeatMs } });
    if (mood.hangUps > 0) {
      mood.hangUps--;
      whenThawed(() => socket.terminate());
    }
    socket.on("message", (text) =>
      whenThawed(() => {
        const frame = JSON.parse((text as Buffer).toString()) as { op: number; d?: Record<string, never> };
        if (frame.op === 1) {
          counts.beats++;
          write(socket, { op: 11 });
        } else if (frame.op === 2 && session === undefined) session = identify(socket, frame.d ?? {});
        else if (frame.op === 6 && session === undefined) session = resume(socket, frame.d ?? {});
        else if (session === undefined) socket.close(4003, "Not authenticated.");
        else socket.close(4005, "Already authenticated.");
      }),
    );
  }

  return {
    connect,
    emit,
    counts,
    thaw: () => {
      mood.isFrozen = false;
      const waiting = frozen;
      frozen = [];
      for (const act of waiting) act();
    },
    /** Any frame, as it stands: to try what no Discord would send. */
    raw: (text: string) => {
      for (const socket of sockets) socket.send(text);
    },
    /** Ends every connection: with a close code, or as a cut cable with a reset would. */
    drop: (code?: number) => {
      for (const socket of sockets) {
        if (typeof code === "number") socket.close(code);
        else socket.terminate();
      }
    },
    forget: () => sessions.clear(),
  };
}
