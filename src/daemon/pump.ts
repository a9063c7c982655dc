import { watch } from "node:fs";
import { basename } from "node:path";

import { deliverTo } from "../fleet/post.ts";
import type { World } from "../fleet/world.ts";
import { pause } from "../lib/wait.ts";
import { remind } from "../mail/owed.ts";
import { openStore, type Store } from "../mail/store.ts";
import { readRoster } from "../roster/cache.ts";
import { Bell } from "./bell.ts";
import { tellOwners } from "./tell-owners.ts";

/** How often agents are asked what became of what they have, and whether they take what waits. */
const lookMs = 1_000;
/** How long the end of the daemon waits for what is on its way. */
const endMs = 5_000;
/** How long what is over is kept, and how often that is looked at. */
const keepMs = 90 * 86_400_000;
const pruneEveryMs = 86_400_000;
/** With nothing open there is nobody to ask; a message that comes in rings. */
const restMs = 15_000;

/** Brings every message to its agent as soon as that can take it, and hears of its answer. Runs until the signal. */
export async function pump(world: World, signal: AbortSignal): Promise<void> {
  const bell = new Bell();
  const roster = { isEdited: false };
  const watcher = watchMessages(world, (isRoster) => {
    roster.isEdited ||= isRoster;
    bell.ring();
  });
  // Kept open: whoever closes it last rewrites the files, which would ring again.
  let store: Store | undefined;
  let nextPrune = 0;
  /** What went wrong at the last look: while it lasts it is one line of the log. */
  let fault = "";
  /** To whom something is just being brought: one agent's slowness (Claude takes only so much at a time) is nobody else's. */
  const delivering = new Map<string, Promise<void>>();
  try {
    while (!signal.aborted) {
      let open = 0;
      roster.isEdited = false;
      try {
        store ??= openStore(world.home.messages);
        if (world.now() >= nextPrune) {
          nextPrune = world.now() + pruneEveryMs;
          store.prune(world.now() - keepMs);
        }
        open = await round(world, store, delivering);
        fault = "";
      } catch (error) {
        const note = error instanceof Error ? error.message : String(error);
        if (note !== fault) world.log({ event: "mail-fault", note });
        fault = note;
      }
      // Not by the clock, which may be set back.
      const next = performance.now() + (open > 0 ? lookMs : restMs);
      // A ring may be anybody's look at the files; only another's change, and the roster's, is worth a round.
      do await bell.wait(Math.max(0, next - performance.now()), signal);
      while (!signal.aborted && performance.now() < next && !roster.isEdited && store?.hasChanged() !== true);
    }
  } finally {
    watcher?.close();
    // What is cut off here is found out by its id later.
    const enough = new AbortController();
    await Promise.race([Promise.all(delivering.values()), pause(endMs, enough.signal)]);
    enough.abort(); // its timer would keep the process
    store?.close();
  }
}

/** One round over all agents of whom something is not over; answers how many those are. */
async function round(world: World, store: Store, delivering: Map<string, Promise<void>>): Promise<number> {
  const names = [...store.waiting().keys()];
  if (names.length === 0) return 0;
  const roster = await readRoster(world.home.roster, world.home.cache, world.home.user);
  remind(store, world.now(), {
    orchestrator: roster.agents.find((agent) => agent.role === "orchestrator")?.name,
    tellOwner: ({ id, to, from }, why) => {
      world.log({ agent: to, event: "answer-late", note: `${id}: ${why}` });
      // Who asked in a chat sees there how long it has been worked on.
      if (from.kind === "owner" || from.kind === "chat") return;
      tellOwners(
        world,
        roster.connectors,
        `late ${id}`,
        `${why}. See: mosaic fleet inbox ${to}, mosaic fleet tail ${to}`,
      );
    },
  });
  for (const name of names) {
    if (delivering.has(name)) continue;
    const done = deliverTo(world, store, name).then(
      () => undefined,
      // One agent's fault must not keep the others' messages.
      (error: unknown) =>
        world.log({ agent: name, event: "mail-fault", note: error instanceof Error ? error.message : String(error) }),
    );
    delivering.set(
      name,
      done.finally(() => delivering.delete(name)),
    );
  }
  return names.length;
}

/** Every change of the table goes through its write-ahead log, and a broken roster may be mended. Where that cannot be watched, looking is enough. */
function watchMessages({ home }: World, ring: (isRoster: boolean) => void): { close(): void } | undefined {
  const log = `${basename(home.messages)}-wal`;
  const roster = basename(home.roster);
  try {
    const watcher = watch(home.fleet, (_, file) => {
      if (file === log || file === roster) ring(file === roster);
    });
    watcher.on("error", () => watcher.close());
    return watcher;
  } catch {
    return undefined;
  }
}
