import { join } from "node:path";

import { onTestFinished } from "vitest";

import type { Trace } from "../../src/harness/harness.ts";
import { FleetError } from "../../src/lib/errors.ts";
import { accept } from "../../src/mail/accept.ts";
import { deliver, type Door, type Gate } from "../../src/mail/deliver.ts";
import type { Draft } from "../../src/mail/letter.ts";
import { openStore } from "../../src/mail/store.ts";
import { scratchFolder } from "../scratch.ts";

export class Killed extends Error {}

/**
 * A harness that behaves as the real ones do: it remembers ids, has a queue in its memory that dies with it, and a
 * transcript that does not. `fault` happens at the next call.
 */
class FakeHarness {
  run = 1;
  gate: Gate | undefined;
  busy = false;
  memory: { id: string; text: string }[] = [];
  transcript: { id: string; text: string }[] = [];
  ended = new Map<string, Trace["end"]>();
  fault: "killed-before" | "killed-after" | "refuses" | "never" | "gone" | undefined;
  interrupted = 0;
  revived = false;
  modes: string[] = [];

  door(): Door {
    return {
      gate: async () => this.gate ?? { open: true, process: `run-${this.run}` },
      submit: async ({ id, text, mode }) => {
        const { fault } = this;
        this.modes.push(mode);
        this.fault = undefined;
        if (fault === "killed-before") throw new Killed();
        if (fault === "never") throw new FleetError("usage", "this text cannot be typed");
        if (fault === "refuses") throw new FleetError("conflict", "it does not take messages now");
        if (fault === "gone") throw new FleetError("unreachable", "it is not running");
        const state = this.#take(id, text);
        if (fault === "killed-after") throw new Killed();
        return { id, state, by: "fake" };
      },
      trace: async (ids) => {
        const known = this.transcript.filter((one) => ids.includes(one.id));
        return new Map(known.map(({ id }) => [id, { acted: false, end: this.ended.get(id) } as Trace]));
      },
      interrupt: async () => void this.interrupted++,
      goOn: async () => {},
      revived: this.revived ? `run-${this.run}` : undefined,
    };
  }

  #take(id: string, text: string): "delivered" | "queued" {
    if (this.transcript.some((one) => one.id === id)) return "delivered";
    if (!this.busy) this.transcript.push({ id, text });
    else if (!this.memory.some((one) => one.id === id)) this.memory.push({ id, text });
    return this.busy ? "queued" : "delivered";
  }

  turnEnds(): void {
    this.busy = false;
    this.transcript.push(...this.memory.splice(0));
  }

  dies(): void {
    this.memory = [];
    this.busy = false;
    this.run++;
  }
}

/** A store, a harness behind it, and somebody who writes. */
export function setUp() {
  const store = openStore(join(scratchFolder("mail"), "fleet.db"));
  onTestFinished(() => store.close());
  const harness = new FakeHarness();
  let now = 1_000;
  const say = (body: string, draft: Partial<Draft> = {}) =>
    accept(store, { to: "co", from: { kind: "person", name: "me" }, mode: "next", body, ...draft }, now);
  const pump = () => deliver(store, "co", harness.door(), () => now);
  const bodies = () => harness.transcript.map((one) => one.text);
  return { store, harness, say, pump, bodies, later: (ms: number) => (now += ms) };
}
