import { FleetError } from "../../lib/errors.ts";
import { isGone } from "../../lib/proc.ts";
import type { Desk } from "../harness.ts";
import { converse, Refused, type Line } from "./channel.ts";
import { passwordOf } from "./launch.ts";
import { readSession } from "./session.ts";

/** Does something at the agent's own server, or says why that was not possible. */
export async function atServer<T>(
  desk: Desk,
  withinMs: number,
  act: (line: Line, session: string) => Promise<T>,
): Promise<T> {
  const { agent, place } = desk;
  const session = readSession(place.session);
  const password = passwordOf(desk);
  const gone = session === undefined || password === undefined || isGone(session.pid);
  try {
    const answer = gone
      ? undefined
      : await converse({ url: session.url, password }, withinMs, async (line) => ({
          did: await act(line, session.id),
        }));
    if (answer !== undefined && answer !== "silent") return answer.did;
    const why = answer === "silent" ? "does not answer" : "is not listening";
    throw new FleetError("unreachable", `${agent.name} ${why}.`, {
      hint: `mosaic fleet ${answer === "silent" ? "explain" : "start"} ${agent.name}`,
    });
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    throw new FleetError("conflict", `${agent.name}'s OpenCode refuses: ${error.message}.`, {
      hint: `mosaic fleet explain ${agent.name}`,
      cause: error,
    });
  }
}

/** A server that refuses to tell knows nothing of it; every other error is one. */
export function refusedOnly(error: unknown): undefined {
  if (!(error instanceof Refused)) throw error;
}
