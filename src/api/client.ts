import { request, type IncomingMessage } from "node:http";

import type { Command, FleetControl, Outcome } from "../contract/command.ts";
import type { Health } from "../contract/connector.ts";
import type { ConsoleDoor, ConsoleLine } from "../contract/console.ts";
import type { FleetState } from "../contract/state.ts";
import { exitCodes, FleetError, systemCode, type FaultCode } from "../lib/errors.ts";

interface Fault {
  code: string;
  message: string;
  hint: string | null;
}

/** The fleet's face and this machine's chat, through the daemon's socket. */
export interface Remote {
  control: FleetControl;
  console: ConsoleDoor;
  /** How the daemon sees its connectors; undefined where no daemon answers. */
  health(): Promise<Record<string, Health> | undefined>;
}

/** Nothing is connected until something is asked. */
export function remote(socketPath: string): Remote {
  const call = (method: "GET" | "POST", path: string, body?: object, signal?: AbortSignal, any = false) =>
    open(socketPath, { method, path, body, signal, any });
  return {
    control: {
      state: async () => JSON.parse(await textOf(await call("GET", "/v1/state"))) as FleetState,
      async *watch(signal) {
        yield* eventsOf<{ kind: "state"; state: FleetState }>(
          await call("GET", "/v1/events", undefined, signal),
          signal,
        );
      },
      async run(command: Command, tell = () => {}) {
        for await (const line of linesOf(await call("POST", "/v1/commands", command))) {
          const read = JSON.parse(line) as { tell?: string; outcome?: Outcome; error?: Fault };
          if (read.tell !== undefined) tell(read.tell);
          else if (read.outcome !== undefined) return read.outcome;
          else if (read.error !== undefined) throw errorOf(read.error);
        }
        throw new FleetError("unreachable", "The daemon ended before it said what became of this.", {
          hint: "mosaic fleet ps",
        });
      },
    },
    async health() {
      try {
        const said = await textOf(await call("GET", "/healthz", undefined, AbortSignal.timeout(2_000), true));
        return (JSON.parse(said) as { connectors: Record<string, Health> }).connectors;
      } catch (error) {
        if (error instanceof FleetError) return undefined;
        throw error;
      }
    },
    console: {
      say: async (line) => void (await textOf(await call("POST", "/v1/console/lines", line))),
      choose: async (choice) => void (await textOf(await call("POST", "/v1/console/choices", choice))),
      async *follow(last, signal) {
        yield* eventsOf<ConsoleLine>(await call("GET", `/v1/console?last=${last}`, undefined, signal), signal);
      },
    },
  };
}

interface Asked {
  method: string;
  path: string;
  body: object | undefined;
  signal: AbortSignal | undefined;
  /** An answer that says that something is wrong is an answer. */
  any: boolean;
}

function open(socketPath: string, { method, path, body, signal, any }: Asked): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const text = body === undefined ? undefined : JSON.stringify(body);
    const sent = request(
      { socketPath, path, method, signal, headers: text === undefined ? {} : { "content-type": "application/json" } },
      (answer) => {
        if (any || (answer.statusCode ?? 500) < 400) return resolve(answer);
        textOf(answer).then((said) => reject(errorOf((JSON.parse(said) as { error: Fault }).error)), reject);
        return undefined;
      },
    );
    sent.on("error", (error) => {
      if (signal?.aborted) return reject(new FleetError("cancelled", "Cancelled."));
      return reject(
        new FleetError("unreachable", "The daemon does not answer.", { hint: "mosaic fleet start", cause: error }),
      );
    });
    sent.end(text);
  });
}

/** An error of the other side is the same error here. */
function errorOf({ code, message, hint }: Fault): Error {
  return code in exitCodes
    ? new FleetError(code as FaultCode, message, { hint: hint ?? undefined })
    : new Error(message);
}

async function textOf(answer: IncomingMessage): Promise<string> {
  let text = "";
  for await (const part of answer.setEncoding("utf8")) text += String(part);
  return text;
}

async function* linesOf(answer: IncomingMessage): AsyncGenerator<string> {
  let rest = "";
  for await (const part of answer.setEncoding("utf8")) {
    const lines = (rest + String(part)).split("\n");
    rest = lines.pop() ?? "";
    yield* lines.filter((line) => line !== "");
  }
}

const isFault = (event: unknown): event is { error: Fault } =>
  typeof event === "object" && event !== null && "error" in event;

/** Server-sent events: one JSON value each. Ends with the signal, or with the daemon. */
async function* eventsOf<T>(answer: IncomingMessage, signal: AbortSignal): AsyncGenerator<T> {
  try {
    for await (const line of linesOf(answer)) {
      if (!line.startsWith("data:")) continue;
      const event = JSON.parse(line.slice(5)) as T | { error: Fault };
      if (isFault(event)) throw errorOf(event.error);
      yield event;
    }
  } catch (error) {
    // Cut off in the middle is one of the ways in which a daemon ends.
    if (!signal.aborted && systemCode(error) !== "ECONNRESET") throw error;
  } finally {
    answer.destroy();
  }
  if (!signal.aborted) throw new FleetError("unreachable", "The daemon has ended.", { hint: "mosaic fleet start" });
}
