import { mkdirSync, writeFileSync } from "node:fs";

import { describe, expect, onTestFinished, test } from "vitest";

import { layHome } from "../../src/contract/home.ts";
import type { SendMode } from "../../src/contract/message-names.ts";
import type { Terminal, TerminalAt } from "../../src/contract/terminal.ts";
import { pump } from "../../src/daemon/pump.ts";
import { again } from "../../src/fleet/messages.ts";
import type { World } from "../../src/fleet/world.ts";
import { accept } from "../../src/mail/accept.ts";
import { openStore } from "../../src/mail/store.ts";
import type { UnitView } from "../../src/supervisor/supervisor.ts";
import { rosterOf } from "../rig.ts";
import { scratchFolder } from "../scratch.ts";

/** A fleet of `command` agents that live, in terminals that take their time. */
function setUp(...names: string[]) {
  const root = scratchFolder("post");
  const home = layHome({ mosaicHome: undefined, userHome: root, runDir: undefined, uid: process.getuid?.() ?? 0 });
  mkdirSync(home.fleet, { recursive: true });
  const agent = (name: string, at: number) =>
    `{ name: ${name}, role: ${at === 0 ? "orchestrator" : "worker"}, runtime: command, command: [cat], workdir: ${root} }`;
  writeFileSync(home.roster, `${rosterOf(...names.map(agent))}supervisor: builtin\n`);
  const alive = { wanted: "up", by: "builtin", process: "alive", pid: 7, since: 1, restarts: 0, readable: true };
  const typed: { name: string; text: string; done: () => void }[] = [];
  const world = {
    home,
    terminal: {
      isOpen: async () => true,
      type: ({ name }: TerminalAt, text: string) =>
        new Promise<void>((resolve) => typed.push({ name, text, done: resolve })),
    } as Partial<Terminal>,
    units: {
      observe: (asked: readonly string[]) => new Map(asked.map((name) => [name, alive as UnitView])),
      known: () => [],
    } as Partial<World["units"]>,
    now: Date.now,
    user: "me",
    beatIntervalS: 15,
    agentEnv: {},
    search: { path: "", node: process.execPath },
    assets: {},
    log: () => undefined,
  } as unknown as World;
  const store = openStore(home.messages);
  onTestFinished(() => store.close());
  const say = (to: string, body: string, mode: SendMode = "next") =>
    accept(store, { to, from: { kind: "person", name: "me" }, mode, body }, Date.now());
  const state = (id: string) => store.find(id)?.state;
  return { world, store, say, state, typed };
}

describe("the pump", () => {
  test("one agent's slow delivery keeps nobody else's messages, and is not begun twice", async () => {
    const { world, store, say, state, typed } = setUp("slow", "fast");
    const over = new AbortController();
    const slow = say("slow", "takes its time");
    const done = pump(world, over.signal);
    await expect.poll(() => typed.map((one) => one.name)).toEqual(["slow"]);
    const ids = ["one", "two", "three"].map((text) => say("fast", text).id);
    for (const [at, id] of ids.entries()) {
      await expect.poll(() => typed.length, { timeout: 5_000 }).toBe(at + 2);
      typed[at + 1]?.done();
      await expect.poll(() => state(id), { timeout: 5_000 }).toBe("typed");
    }
    expect([state(slow.id), typed.filter((one) => one.name === "slow").length]).toEqual(["queued", 1]);
    expect(store.find(slow.id)?.attempts).toBe(1);
    typed[0]?.done();
    await expect.poll(() => state(slow.id), { timeout: 5_000 }).toBe("typed");
    // And its next one is brought too.
    const next = say("slow", "again");
    await expect.poll(() => typed.at(-1)?.text, { timeout: 5_000 }).toBe("again");
    typed.at(-1)?.done();
    await expect.poll(() => state(next.id), { timeout: 5_000 }).toBe("typed");
    over.abort();
    await done;
  });

  test("its end waits for what is on its way", async () => {
    const { world, say, state, typed } = setUp("slow");
    const over = new AbortController();
    const { id } = say("slow", "almost there");
    const done = pump(world, over.signal);
    await expect.poll(() => typed.length).toBe(1);
    over.abort();
    typed[0]?.done();
    await done;
    expect(state(id)).toBe("typed");
  });
});

describe("taking a message back", () => {
  const cancel = (world: World, message: string) => again(world, { do: "cancel", by: { kind: "person" }, message });

  test("is refused while its harness has it, which may read it at any moment, or may have it", async () => {
    const { world, store, say, state } = setUp("co");
    const { id } = say("co", "x");
    store.attempt(id, 1); // it is being handed over just now, or was when somebody was killed
    await expect(cancel(world, id)).rejects.toMatchObject({
      code: "conflict",
      message: expect.stringContaining("co has") as string,
    });
    store.hand(id, "7@1");
    await expect(cancel(world, id)).rejects.toThrow("cannot be taken back");
    expect(state(id)).toBe("queued");
    store.hand(id, undefined); // it was refused: nobody has it
    expect(await cancel(world, id)).toMatchObject({ state: "failed", reason: "taken back by its sender" });
  });

  test("is refused of what is delivered", async () => {
    const { world, store, say } = setUp("co");
    const { id } = say("co", "x");
    store.move(id, { state: "delivered", deliveredAt: 1 }, 1);
    await expect(cancel(world, id)).rejects.toThrow("is delivered; it cannot be taken back");
  });
});
