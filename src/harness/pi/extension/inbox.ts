import { chmodSync, rmSync } from "node:fs";
import { createServer, type Server, type Socket } from "node:net";

import type { Reply, Request } from "../wire.ts";

const longestLine = 4 * 1024 * 1024;

/** Listens on a 0600 socket and hands every whole line to `serve`, which may answer more than once, also later. */
export function openInbox(path: string, serve: (request: Request, answer: (reply: Reply) => void) => void): Server {
  rmSync(path, { force: true }); // a killed Pi leaves its socket behind; the agent's lock allows one Pi only
  const server = createServer((line: Socket) => {
    let rest = "";
    line.setEncoding("utf8");
    line.on("error", () => line.destroy());
    line.on("data", (part: string) => {
      rest += part;
      if (rest.length > longestLine) return line.destroy();
      for (let at = rest.indexOf("\n"); at >= 0; at = rest.indexOf("\n")) {
        const text = rest.slice(0, at);
        rest = rest.slice(at + 1);
        const answer = (reply: Reply) => void (line.writable && line.write(`${JSON.stringify(reply)}\n`));
        try {
          serve(JSON.parse(text) as Request, answer);
        } catch (error) {
          answer({ type: "refused", why: error instanceof Error ? error.message : String(error) });
        }
      }
      return undefined;
    });
  });
  const before = process.umask(0o177);
  server.listen(path, () => chmodSync(path, 0o600));
  process.umask(before);
  return server;
}
