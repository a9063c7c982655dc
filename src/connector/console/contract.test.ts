import { randomBytes, randomUUID } from "node:crypto";
import { join } from "node:path";

import { expect, test } from "vitest";

import { scratchFolder } from "../../../test/scratch.ts";
import type { ConsoleDoor, ConsoleLine } from "../../contract/console.ts";
import { pause } from "../../lib/wait.ts";
import { connectorSuite } from "../connector-suite.ts";
import { memoryStore } from "../memory-intake.ts";
import type { Rig, Shown } from "../suite-rig.ts";
import { consoleChat, consoleConnector, consoleOwner } from "./console.ts";

/** This machine's own chat, as the suite sees it: whoever talks there tries again where the daemon is away. */
async function consoleRig(): Promise<Rig> {
  const path = join(scratchFolder("console"), "console.db");
  let door: ConsoleDoor | undefined;
  const open: Rig["open"] = () => {
    const made = consoleConnector(path, "me", Date.now);
    return {
      ...made,
      async run(around) {
        door = made.door;
        await made.run(around);
        if (door === made.door) door = undefined;
      },
    };
  };
  /** Until it is kept, as `mosaic fleet chat` does; somebody listens for a moment where nobody does. */
  async function insist(say: (to: ConsoleDoor) => Promise<void>): Promise<void> {
    for (let left = 500; left > 0; left--) {
      try {
        if (door !== undefined) return await say(door);
      } catch {
        // that process is dying
      }
      await pause(5);
      if (door !== undefined || left % 50 !== 0) continue;
      const end = new AbortController();
      const one = open();
      const running = one.run({
        intake: memoryStore(() => true).open().intake,
        signal: end.signal,
        words: [],
        tell: () => {},
        log: () => {},
      });
      await say(door ?? (Promise.reject(new Error("nobody listens")) as never));
      end.abort();
      return running;
    }
    throw new Error("nobody took it");
  }
  const never = () => Promise.reject(new Error("this chat has no such thing"));
  return {
    token: randomBytes(8).toString("hex"),
    chat: consoleChat,
    owner: consoleOwner,
    open,
    async say(_, text, where) {
      const id = randomUUID();
      const line = { id, text, replyTo: where?.replyTo };
      // A process that dies of it has not acknowledged it: it stays with whoever said it, until one takes it.
      const kept = door?.say(line).catch(() => void insist((to) => to.say(line)));
      await (kept ?? insist((to) => to.say(line)));
      return id;
    },
    async press(by, message, choice) {
      let isKept = false;
      const id = randomUUID();
      // Whoever may open the socket is the owner; a stranger cannot even try.
      if (by === "owner") void insist((to) => to.choose({ id, message, choice })).then(() => (isKept = true));
      return async () => isKept;
    },
    shown: async () => shownOf(await linesOf(path)),
    typed: async () => undefined,
    edit: never,
    remove: never,
    newThread: never,
    directChat: never,
    trouble: never,
    mend: never,
  };
}

async function linesOf(path: string): Promise<ConsoleLine[]> {
  const end = new AbortController();
  const lines: ConsoleLine[] = [];
  const here = consoleConnector(path, "me", Date.now);
  const reading = here.door.follow(1_000, end.signal);
  const first = reading.next();
  await here.send({ chat: consoleChat, key: "t", kind: "typing" }, end.signal);
  for (let next = await first; next.done !== true && next.value.kind !== "typing"; next = await reading.next())
    lines.push(next.value);
  end.abort();
  return lines;
}

function shownOf(lines: readonly ConsoleLine[]): Shown[] {
  const shown = new Map<string, Shown>();
  for (const line of lines) {
    if (line.kind === "said" || line.kind === "text") {
      const { id, text } = line;
      const more =
        line.kind === "text"
          ? { choices: line.choices.map((one) => one.id), replyTo: line.replyTo ?? undefined }
          : { choices: [], replyTo: undefined };
      shown.set(id, { id, text, isOurs: line.kind === "text", marks: [], files: [], ...more });
    } else if (line.kind === "edit") {
      const one = shown.get(line.of);
      if (one !== undefined) Object.assign(one, { text: line.text, choices: line.choices.map((choice) => choice.id) });
    } else if (line.kind === "mark") {
      const marks = shown.get(line.of)?.marks;
      if (marks?.includes(line.mark) === false) marks.push(line.mark);
    }
  }
  return [...shown.values()];
}

const network = "there is no network in between";
connectorSuite("console", consoleRig, {
  outage: network,
  "half-open": network,
  "lost-session": network,
  cut: network,
  duplicates: network,
  disorder: network,
  limited: network,
  broken: network,
  reset: network,
  garbled: network,
  "reset-after": network,
  revoked: "it has no token",
  threads: "it has none",
  direct: "it is one chat",
  files: "the person is on this machine",
  changes: "what was said there stays said",
  echo: "our own words are not told to us",
  strangers: "whoever opens the socket is the owner",
  absence: "nothing is said while nobody listens: it is refused, and tried again",
  liveness: network,
});

test("who follows sees what was said before and what comes, each line once, and leaves nothing behind", async () => {
  const path = join(scratchFolder("console"), "console.db");
  const here = consoleConnector(path, "me", Date.now);
  const signal = new AbortController().signal;
  const say = (key: string) => here.send({ chat: consoleChat, key, kind: "text", text: key }, signal);
  for (const key of ["a", "b", "c"]) await say(key);
  const reading = here.door.follow(2, signal);
  const seen: number[] = [];
  for await (const line of reading) {
    seen.push(line.seq);
    if (seen.length === 2) await say("d");
    if (seen.length === 3) break;
  }
  expect(seen).toEqual([2, 3, 4]);
});
