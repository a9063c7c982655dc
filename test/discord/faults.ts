import type { IncomingMessage, ServerResponse } from "node:http";

/** What goes wrong with requests, for so many of them. */
export interface Fault {
  /**
   * `status`: an answer of that status. `limit`: 429 with these waits, in s. `reset`: the connection is cut before anything
   * is done; `reset-after`: when it is done. `html`, `garbled`: done, and the answer is no JSON. `empty`: done, and the answer is an object with nothing in it. `trickle`: a byte now and then.
   * `last`: done, and there is no room for another of its kind for a while, by `reset`. `silent`: done, and no answer ever comes. `echo`: refused, with the sender's own headers in the message.
   */
  kind:
    | "status"
    | "limit"
    | "reset"
    | "reset-after"
    | "html"
    | "garbled"
    | "empty"
    | "trickle"
    | "silent"
    | "last"
    | "echo";
  times: number;
  /** Only requests whose method and path contain this. */
  only?: string;
  status?: number;
  /** Of a `status`: it is Discord's own refusal, with this code. */
  code?: number;
  /** The 429's three waits, each where it is named. */
  retryAfter?: { body?: number; header?: number; reset?: number };
  /** The 429 is of the whole bot. */
  isGlobal?: boolean;
}

/** Faults that come before the request is done: true where the answer is given by it. */
export function failBefore(fault: Fault, request: IncomingMessage, response: ServerResponse): boolean {
  switch (fault.kind) {
    case "status":
      if (fault.code !== undefined) {
        response.writeHead(fault.status ?? 500, { "content-type": "application/json" });
        response.end(JSON.stringify({ message: "Refused", code: fault.code }));
        return true;
      }
      response.writeHead(fault.status ?? 500, { "content-type": "text/html" }).end("<html>It is broken.</html>");
      return true;
    case "limit": {
      const { body, header, reset } = fault.retryAfter ?? { body: 0.05 };
      response.writeHead(429, {
        "content-type": "application/json",
        ...(header !== undefined && { "retry-after": String(header) }),
        ...(reset !== undefined && { "x-ratelimit-reset-after": String(reset) }),
      });
      response.end(
        JSON.stringify({
          message: "You are being rate limited.",
          global: fault.isGlobal === true,
          ...(body !== undefined && { retry_after: body }),
        }),
      );
      return true;
    }
    case "reset":
      request.socket.resetAndDestroy();
      return true;
    case "echo":
      response.writeHead(400, { "content-type": "application/json" });
      response.end(JSON.stringify({ message: `Bad header ${request.headers.authorization ?? ""}`, code: 50035 }));
      return true;
    case "reset-after":
    case "html":
    case "garbled":
    case "empty":
    case "trickle":
    case "silent":
    case "last":
      return false;
  }
}

/** Faults that come after it was done, instead of its answer. */
export function failAfter(fault: Fault, request: IncomingMessage, response: ServerResponse): void {
  switch (fault.kind) {
    case "reset-after":
      request.socket.resetAndDestroy();
      return;
    case "html":
      response.writeHead(200, { "content-type": "text/html" }).end("<html>A proxy says hello.</html>");
      return;
    case "garbled":
      response.writeHead(200, { "content-type": "application/json" }).end('{"id": "12');
      return;
    case "empty":
      response.writeHead(200, { "content-type": "application/json" }).end("{}");
      return;
    case "trickle": {
      response.writeHead(200, { "content-type": "application/json" });
      const drip = setInterval(() => response.write(" "), 50);
      response.once("close", () => clearInterval(drip));
      return;
    }
    case "silent":
    case "last":
    case "status":
    case "limit":
    case "reset":
    case "echo":
      return;
  }
}
