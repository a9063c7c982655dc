import { randomUUID } from "node:crypto";

import { expect, onTestFinished, test } from "vitest";

import type { Health } from "../contract/connector.ts";
import type { Connector, Mark, Out, Sent } from "./connector.ts";
import { memoryStore } from "./memory-intake.ts";
import type { Death } from "./memory-intake.ts";

/** Where somebody speaks. */
export interface Where {
  thread?: string;
  /** In a direct chat with us. */
  isDirect?: boolean;
  replyTo?: string;
}
export type By = "owner" | "stranger";

/** A message as people see it. */
export interface Shown {
  id: string;
  text: string;
  isOurs: boolean;
  marks: Mark[];
  choices: string[];
  replyTo: string | undefined;
  files: { name: string; content: string }[];
}

/**
 * What can be made to go wrong. `outage`: gone until it is mended. `half-open`: silent until then, the connections standing.
 * `lost-session`: what it kept for us for a resumption is lost. `cut`: the connection ends, once. `duplicates`, `disorder`:
 * of that many events. `limited`, `broken`, `reset`: so many requests fail so, and are not done. `garbled`, `reset-after`: so
 * many are done, and no answer tells. `revoked`: the token is refused for ever.
 */
type Trouble =
  | "outage"
  | "half-open"
  | "lost-session"
  | "cut"
  | "duplicates"
  | "disorder"
  | "limited"
  | "broken"
  | "reset"
  | "garbled"
  | "reset-after"
  | "revoked";

/** A chat service under test, with people in it, and a connector's account there. */
export interface Rig {
  token: string;
  /** The channel that is wired, and the ids of who may speak. */
  chat: string;
  owner: string;
  /** A connector as a new process would make it; quick enough for a test. */
  open(): Connector;
  say(by: By, text: string, where?: Where): Promise<string>;
  edit(id: string, text: string): Promise<void>;
  remove(id: string): Promise<void>;
  /** Chooses one of a message's choices; the answer tells whether the platform was told that we have it. */
  press(by: By, message: string, choice: string): Promise<() => Promise<boolean>>;
  newThread(): Promise<string>;
  directChat(by: By): Promise<string>;
  shown(where?: Where): Promise<Shown[]>;
  /** How often it was shown that we type; undefined where that cannot be seen. */
  typed(): Promise<number | undefined>;
  trouble(what: Trouble, times?: number): Promise<void>;
  mend(what: "outage" | "half-open"): Promise<void>;
}

/**
 * What this platform does not have or this server cannot do, and why. `new-threads`: tells a connection of what is said in
 * threads that are younger than it. `missed-threads`: says which threads there are.
 * `orphans`: takes an answer to a message that is gone. `resumption`: sends what a connection missed to the next.
 * `acknowledged`: shows people that we have their press.
 */
export type Lacks = Partial<
  Record<
    | Trouble
    | "threads"
    | "new-threads"
    | "missed-threads"
    | "choices"
    | "direct"
    | "files"
    | "changes"
    | "strangers"
    | "echo"
    | "absence"
    | "liveness"
    | "orphans"
    | "resumption"
    | "acknowledged",
    string
  >
>;

/** How long a test waits for a sign. */
export const soon = { timeout: 20_000, interval: 10 };

/** A clause for those that have what it is about; for others it is skipped, and says why. */
export function clauses(lacks: Lacks) {
  return (...what: (keyof Lacks)[]) =>
    (name: string, body: () => Promise<void>): void => {
      const why = what.map((one) => lacks[one]).find((one) => one !== undefined);
      test.skipIf(why !== undefined)(why === undefined ? name : `${name} (SKIPPED: ${why})`, body);
    };
}

/** A rig with a store beside it, and everything that was said to people and logs; the token is looked for there. */
export async function setUpRig(rigOf: () => Promise<Rig>) {
  const rig = await rigOf();
  const store = memoryStore(
    (row) => row.speaker.id === rig.owner || (row.kind === "delete" && isStored(row.id)),
    [rig.chat],
  );
  const isStored = (id: string) => [...store.rows.values()].some((one) => one.id === id);
  const everything: string[] = [];
  onTestFinished(() => {
    expect(
      everything.filter((line) => line.includes(rig.token)),
      "the token is nowhere",
    ).toEqual([]);
  });

  /** A process that listens, until it is stopped or dies. */
  function listen(death?: Death) {
    const connector = rig.open();
    const process = store.open(death);
    const controller = new AbortController();
    const healths: Health[] = [];
    const run = connector.run({
      intake: process.intake,
      words: [],
      signal: controller.signal,
      tell: (health) => {
        healths.push(health);
        everything.push(JSON.stringify(health));
      },
      log: (event, note) => void everything.push(`${event} ${note}`),
    });
    const ended = run.then(
      () => undefined,
      (error: unknown) => {
        everything.push(error instanceof Error ? `${error.stack} ${String(error.cause)}` : String(error));
        return error;
      },
    );
    const stop = async () => {
      controller.abort();
      return ended;
    };
    onTestFinished(async () => {
      await stop();
      const told = healths.map((health) => JSON.stringify(health));
      expect(
        told.filter((health, at) => health === told[at - 1]),
        "health is told at its changes alone",
      ).toEqual([]);
    });
    const isUp = () =>
      expect.poll(() => [healths.at(-1)?.state, healths.at(-1)?.detail], soon).toEqual(["up", undefined]);
    return { ...process, connector, healths, ended, stop, isUp };
  }

  const send = async (connector: Connector, out: Out, withinMs = 2_000): Promise<Sent> => {
    const sent = await connector.send(out, AbortSignal.timeout(withinMs));
    everything.push(JSON.stringify(sent));
    return sent;
  };
  const texts = (kept = store.handedOn) => kept.map((row) => row.text);
  const heard = (...expected: string[]) => expect.poll(() => texts(), soon).toEqual(expected);
  // A server of somebody else's remembers the keys of earlier runs.
  const run = randomUUID();
  let keys = 0;
  const text = (words: string, more: Partial<Out & { kind: "text" }> = {}): Out => ({
    kind: "text",
    key: `${run} ${++keys}`,
    chat: rig.chat,
    text: words,
    ...more,
  });
  return { rig, store, listen, send, heard, texts, text, everything };
}
