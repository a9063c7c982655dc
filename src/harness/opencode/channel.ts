import { FleetError, systemCode } from "../../lib/errors.ts";

/** OpenCode's own word that it did not do what was asked. */
export class Refused extends Error {
  override name = "Refused";
  readonly status: number;
  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

/** A line to an agent's own OpenCode: HTTP on loopback, with the agent's password. */
export interface Line {
  get<T>(path: string): Promise<T>;
  post<T>(path: string, body?: object): Promise<T>;
}

/**
 * Talks to the server. Answers undefined where nobody listens, and `silent` where somebody does and the talk is not
 * over in time: a hung OpenCode accepts connections too.
 */
export async function converse<T>(
  server: { url: string; password: string },
  withinMs: number,
  talk: (line: Line) => Promise<T>,
): Promise<T | "silent" | undefined> {
  const over = AbortSignal.timeout(withinMs);
  const ask = (method: string, path: string, body?: object) => request(server, over, { method, path, body });
  try {
    return await talk({
      get: async <A>(path: string) => (await ask("GET", path)) as A,
      post: async <A>(path: string, body: object = {}) => (await ask("POST", path, body)) as A,
    });
  } catch (error) {
    if (over.aborted) return "silent";
    if (error instanceof FleetError || systemCode(error) === undefined) throw error;
    return undefined;
  }
}

/** One request; node:http, since `fetch` costs 30 ms to load. */
async function request(
  { url, password }: { url: string; password: string },
  signal: AbortSignal,
  { method, path, body }: { method: string; path: string; body: object | undefined },
): Promise<unknown> {
  const text = body === undefined ? undefined : JSON.stringify(body);
  const headers = {
    authorization: `Basic ${Buffer.from(`opencode:${password}`).toString("base64")}`,
    ...(text !== undefined && { "content-type": "application/json", "content-length": Buffer.byteLength(text) }),
  };
  const answered = new Promise<string>((resolve, reject) => {
    const asked = process.getBuiltinModule("node:http").request(url + path, { method, headers, signal }, (answer) => {
      let read = "";
      answer.setEncoding("utf8").on("data", (part: string) => (read += part));
      answer.on("error", reject);
      answer.on("end", () => {
        const status = answer.statusCode ?? 0;
        if (status >= 300) return reject(new Refused(status, `${method} ${path}: ${status} ${read.slice(0, 200)}`));
        resolve(read);
      });
    });
    asked.on("error", reject);
    asked.end(text);
  });
  const read = await answered;
  try {
    return read === "" ? undefined : JSON.parse(read);
  } catch {
    throw new Refused(200, `${method} ${path}: not an answer of OpenCode`); // somebody else listens there
  }
}
