import type { Reply, Request } from "./wire.ts";

/**
 * Sends one request to the extension and hands over its replies until `take` has what it wants. Answers undefined where
 * nobody listens, and `silent` where somebody does and does not answer in time: a hung Pi accepts connections too.
 */
export function converse<T>(
  socket: string,
  request: Request,
  options: { withinMs: number; take: (reply: Reply) => T | undefined },
): Promise<T | "silent" | undefined> {
  return new Promise((resolve) => {
    const line = process.getBuiltinModule("node:net").connect(socket);
    let rest = "";
    const end = (answer: T | "silent" | undefined) => {
      clearTimeout(timer);
      line.destroy();
      resolve(answer);
    };
    const timer = setTimeout(() => end("silent"), options.withinMs);
    line.setEncoding("utf8");
    line.on("connect", () => line.write(`${JSON.stringify(request)}\n`));
    line.on("error", () => end(undefined));
    line.on("close", () => end(undefined));
    line.on("data", (part: string) => {
      rest += part;
      for (let at = rest.indexOf("\n"); at >= 0; at = rest.indexOf("\n")) {
        const answer = options.take(JSON.parse(rest.slice(0, at)) as Reply);
        rest = rest.slice(at + 1);
        if (answer !== undefined) return end(answer);
      }
    });
  });
}
