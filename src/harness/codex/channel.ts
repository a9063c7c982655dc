import { frameReader, textFrame, upgrade } from "./frames.ts";

/** Codex's own word that it did not do what was asked. */
export class Refused extends Error {
  override name = "Refused";
}

/** A line to an agent's own app-server: JSON-RPC, each call answered by number; what it tells unasked goes to `told`. */
export interface Line {
  call<T>(method: string, params: object): Promise<T>;
  /** Waits for something that the server tells or asks by itself; what it asks has an id. */
  told<T>(take: (method: string, params: Readonly<Record<string, unknown>>, id?: number) => T | undefined): Promise<T>;
  /** Answers what the server has asked. */
  reply(id: number, result: object): void;
}

interface Heard {
  id?: number;
  method?: string;
  params?: Record<string, unknown>;
  result?: unknown;
  error?: { message: string };
}

/**
 * Talks to the server and hangs up. Answers undefined where nobody listens, and `silent` where somebody does and the
 * talk is not over in time: a hung server accepts connections too.
 */
export function converse<T>(
  socket: string,
  withinMs: number,
  talk: (line: Line) => Promise<T>,
): Promise<T | "silent" | undefined> {
  return new Promise((resolve, reject) => {
    const wire = process.getBuiltinModule("node:net").connect(socket);
    const waiting = new Map<number, { resolve: (result: unknown) => void; reject: (error: Error) => void }>();
    const listeners = new Set<(heard: Heard) => void>();
    const end = (settle: () => void) => {
      clearTimeout(timer);
      wire.destroy();
      settle();
    };
    const timer = setTimeout(() => end(() => resolve("silent")), withinMs);
    const say = (message: object) => void wire.write(textFrame(JSON.stringify(message)));
    const line: Line = {
      call: (method, params) =>
        new Promise((done, failed) => {
          const id = waiting.size + 1;
          waiting.set(id, { resolve: (result) => done(result as never), reject: failed });
          say({ id, method, params });
        }),
      told: (take) =>
        new Promise((done) => {
          const listen = ({ method, params, id }: Heard) => {
            const found = method === undefined ? undefined : take(method, params ?? {}, id);
            if (found === undefined) return;
            listeners.delete(listen);
            done(found);
          };
          listeners.add(listen);
        }),
      reply: (id, result) => say({ id, result }),
    };
    const read = frameReader((text) => {
      const heard = JSON.parse(text) as Heard;
      if (heard.method !== undefined) return listeners.forEach((listen) => listen(heard));
      const call = waiting.get(heard.id ?? 0);
      if (heard.error === undefined) call?.resolve(heard.result);
      else call?.reject(new Refused(heard.error.message));
    });
    wire.on("error", () => end(() => resolve(undefined)));
    wire.on("close", () => end(() => resolve(undefined)));
    wire.on("connect", () => wire.write(upgrade));
    wire.on("data", (part: Buffer) => {
      const back = read(part);
      if (back === undefined) return end(() => resolve(undefined));
      if (back.length > 0) wire.write(back);
    });
    const client = { clientInfo: { name: "mosaic_fleet", title: "Mosaic Fleet", version: "1" } };
    const begin = async () => {
      await line.call("initialize", { ...client, capabilities: { experimentalApi: true } });
      say({ method: "initialized" });
      return talk(line);
    };
    wire.once("data", () => {
      begin().then(
        (answer) => end(() => resolve(answer)),
        (error: unknown) => end(() => reject(error instanceof Error ? error : new Error(String(error)))),
      );
    });
  });
}
