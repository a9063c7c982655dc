import { existsSync } from "node:fs";

import { listen, routes } from "../api/server.ts";
import type { FleetControl } from "../contract/command.ts";
import { inProcess } from "../fleet/control.ts";
import type { World } from "../fleet/world.ts";
import { privateFolder } from "../lib/folder.ts";
import { pause } from "../lib/wait.ts";
import { metricsText } from "./metrics.ts";
import { talk, type Talk } from "./talk.ts";
import { tellDecided } from "./tell-decided.ts";

/** How long until what could not be offered is tried again. */
const againMs = 5_000;

/** What the daemon offers: the chats, and the local API. A fault of theirs is logged and takes nobody's supervision away. */
export async function offer(world: World, version: string, signal: AbortSignal): Promise<void> {
  const startedAt = world.now();
  const fault = (error: unknown) =>
    world.log({ event: "api-fault", note: error instanceof Error ? error.message : String(error) });
  let last = "";
  while (!signal.aborted) {
    try {
      // Whoever is asked here is the daemon: there is none to be brought up.
      const control = inProcess(world, {
        ensureDaemon: async () => {},
        tellDecided: (approval, decision) => tellDecided(world, approval, decision),
      });
      await offerOnce(control);
      last = "";
    } catch (error) {
      // What lasts is one line of the log, and not one every time.
      const words = String(error);
      if (words !== last) fault(error);
      last = words;
    }
    // A full disk or a locked database passes.
    await pause(againMs, signal);
  }

  async function offerOnce(control: FleetControl): Promise<void> {
    const end = new AbortController();
    const over = AbortSignal.any([signal, end.signal]);
    const chats = talk(world, control, over);
    const open = () => {
      // Agents' launches make it too, but people talk to a fleet that was never started.
      privateFolder(world.home.sockets, world.uid);
      return listen(
        world.home.api,
        routes({
          control,
          console: chats.door,
          health: () => healthOf(chats, startedAt, world.now()),
          metrics: async () => metricsText(await control.state(), chats, startedAt),
          version,
          onFault: fault,
        }),
        fault,
      );
    };
    try {
      let api = await open();
      /** Whoever cleans up may take the socket away, and nobody could reach a daemon that runs. */
      const stay = async () => {
        while (!over.aborted) {
          await pause(againMs, over);
          if (over.aborted || existsSync(world.home.api)) continue;
          await api.close();
          api = await open();
        }
      };
      const staying = stay();
      try {
        await Promise.race([chats.done, staying]);
      } finally {
        end.abort();
        await staying.catch(() => {}); // told by the race
        await api.close();
      }
    } finally {
      end.abort();
      await chats.done;
    }
  }
}

/** Well while every chat that should be up is; a token that is refused is a person's to mend, and is told. */
function healthOf(chats: Talk, startedAt: number, now: number): { ok: boolean; [part: string]: unknown } {
  const connectors = Object.fromEntries(chats.health());
  const ok = Object.values(connectors).every(({ state }) => state === "up" || state === "connecting");
  return { ok, up_ms: now - startedAt, connectors };
}
