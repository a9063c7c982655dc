import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";

import { describe, expect, onTestFinished, test } from "vitest";

import { openLedger } from "../../src/chat/ledger.ts";
import { agentPlace, layHome } from "../../src/contract/home.ts";
import type { SendMode } from "../../src/contract/message-names.ts";
import type { Terminal, TerminalAt } from "../../src/contract/terminal.ts";
import { pump } from "../../src/daemon/pump.ts";
import { again, send } from "../../src/fleet/messages.ts";
import { observe } from "../../src/fleet/observe.ts";
import { deliverTo } from "../../src/fleet/post.ts";
import type { World } from "../../src/fleet/world.ts";
import { tryLock } from "../../src/lib/lock.ts";
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
    `{ name: ${name}, role: ${at === 0 ? "orchestrator" : "worker"}, ${name === "pi" ? "runtime: pi" : "runtime: command, command: [cat]"}, workdir: ${root} }`;
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
  return { world, store, say, state, typed, alive };
}

/** What a Pi says of itself on its socket, and that it takes every message. */
async function pretendPi(world: World, said: object): Promise<void> {
  mkdirSync(world.home.sockets, { recursive: true, mode: 0o700 });
  const server = createServer((line) => {
    line.setEncoding("utf8").on("error", () => line.destroy());
    line.on("data", (part: string) => {
      for (const text of part.split("\n").filter((one) => one !== "")) {
        const asked = JSON.parse(text) as { type: string; id?: string };
        const reply = asked.type === "state" ? { type: "state", pid: 7, ...said } : { type: "delivered", id: asked.id };
        line.write(`${JSON.stringify(reply)}\n`);
      }
    });
  });
  await new Promise<void>((resolve) => server.listen(agentPlace(world.home, "pi").inbox, resolve));
  onTestFinished(() => void server.close());
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

  test("a clock that is set back by an hour keeps no message waiting for that hour", async () => {
    const { world, store, say, typed, alive } = setUp("mos");
    let aheadMs = 3_600_000;
    world.now = () => Date.now() + aheadMs;
    Object.assign(alive, { process: "none", pid: undefined });
    const { id } = say("mos", "when it is up");
    const over = new AbortController();
    const done = pump(world, over.signal);
    await expect.poll(() => store.find(id)?.reason).toMatch(/^it is /);
    aheadMs = 0;
    Object.assign(alive, { process: "alive", pid: 7 });
    await expect.poll(() => typed.length, { timeout: 5_000 }).toBe(1);
    typed[0]?.done();
    over.abort();
    await done;
  });

  test("an answer that stays away in spite of all reminders is told in the owner's chats, once", async () => {
    const { world, store } = setUp("mos", "co");
    writeFileSync(
      world.home.roster,
      `${readFileSync(world.home.roster, "utf8")}connectors:\n  discord: { guild: "1", channels: ["2"], owners: ["3"] }\n  nobody: { platform: discord, guild: "1", channels: ["4"], owners: [] }\n`,
    );
    const owe = (from: "person" | "owner") => {
      const { id } = accept(
        store,
        { to: "co", from: { kind: from, name: from }, mode: "next", body: "x", answerWithinMs: 1 },
        0,
      );
      store.move(id, { state: "delivered", deliveredAt: 0 }, 0);
      store.nudged(id, 1);
      store.nudged(id, 1);
      return id;
    };
    const id = owe("person");
    owe("owner");
    const run = async () => {
      const over = new AbortController();
      const done = pump(world, over.signal);
      await expect.poll(() => store.late(Date.now())).toEqual([]);
      over.abort();
      await done;
    };
    await run();
    // A kill came before it was noted that they were told.
    store.nudged(id, 1);
    await run();
    const ledger = openLedger(world.home.chat);
    onTestFinished(() => ledger.database.close());
    const told = ledger.database.db.prepare("SELECT account, chat, body FROM outbox ORDER BY account").all();
    expect(told.map((row) => [row["account"], row["chat"]])).toEqual([
      ["console", "console"],
      ["discord", "2"],
    ]);
    expect(told[0]?.["body"]).toMatch(/co has not answered person for \d+ minutes. See: mosaic fleet inbox co/);
  });

  test("a roster that is broken for a while is one line of the log, and as soon as it is mended messages go on", async () => {
    const { world, say, typed } = setUp("mos");
    const faults: string[] = [];
    world.log = ({ event }) => void faults.push(event);
    const text = readFileSync(world.home.roster, "utf8");
    writeFileSync(world.home.roster, `${text}nonsense: [`);
    say("mos", "waits for a roster");
    const over = new AbortController();
    const done = pump(world, over.signal);
    await expect.poll(() => faults).toEqual(["mail-fault"]);
    say("mos", "and so does this");
    writeFileSync(world.home.roster, text);
    await expect.poll(() => typed.length, { timeout: 5_000 }).toBe(1);
    typed[0]?.done();
    await expect.poll(() => typed.length, { timeout: 5_000 }).toBe(2);
    typed[1]?.done();
    expect(faults).toEqual(["mail-fault"]);
    over.abort();
    await done;
  });

  test("its end waits for what is on its way, however often it has looked meanwhile", async () => {
    const { world, say, state, typed } = setUp("slow", "fast");
    const over = new AbortController();
    const { id } = say("slow", "almost there");
    const done = pump(world, over.signal);
    await expect.poll(() => typed.length).toBe(1);
    const other = say("fast", "meanwhile");
    await expect.poll(() => typed.length).toBe(2);
    typed[1]?.done();
    await expect.poll(() => state(other.id)).toBe("typed");
    let ended = false;
    void done.then(() => (ended = true));
    over.abort();
    for (let turn = 0; turn < 5; turn++) await new Promise((resolve) => setImmediate(resolve));
    expect(ended).toBe(false);
    typed[0]?.done();
    await done;
    expect(state(id)).toBe("typed");
  });
});

describe("the pump at rest", () => {
  test("a message wakes it, what is long over is forgotten, and late answers are pointed out", async () => {
    const { world, store, say, state, typed } = setUp("mos", "co");
    const old = say("co", "long ago");
    store.move(old.id, { state: "failed", closed: true }, 1);
    const over = new AbortController();
    const done = pump(world, over.signal);
    await expect.poll(() => store.find(old.id)).toBeUndefined(); // it has looked once; the next time is in 15 s
    const { id } = say("co", "wake up");
    await expect.poll(() => typed.at(-1)?.text, { timeout: 5_000 }).toBe("wake up");
    typed.at(-1)?.done();
    await expect.poll(() => state(id)).toBe("typed");
    const owed = accept(
      store,
      { to: "co", from: { kind: "person", name: "me" }, mode: "next", body: "x", answerWithinMs: 1 },
      1,
    );
    store.move(owed.id, { state: "delivered", deliveredAt: 1 }, 1);
    store.nudged(owed.id, 2); // the agent was reminded; now it is the orchestrator's turn
    await expect.poll(() => typed.at(-1)?.name, { timeout: 5_000 }).toBe("mos");
    expect(typed.at(-1)?.text).toContain(`co has not answered message ${owed.id}`);
    typed.at(-1)?.done();
    over.abort();
    await done;
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
    for (let at = 0; at < 2; at++)
      expect(await cancel(world, id)).toMatchObject({ state: "failed", reason: "taken back by its sender" });
  });

  test("waits for a try that is being made, and has it once that was refused", async () => {
    const { world, store, say } = setUp("co");
    const { id } = say("co", "x");
    store.attempt(id, 1);
    const cancelled = cancel(world, id);
    setTimeout(() => store.hand(id, undefined), 100); // the harness's refusal, while somebody waits for it
    expect(await cancelled).toMatchObject({ state: "failed", reason: "taken back by its sender" });
  });

  test("is refused of what is delivered", async () => {
    const { world, store, say } = setUp("co");
    const { id } = say("co", "x");
    store.move(id, { state: "delivered", deliveredAt: 1 }, 1);
    await expect(cancel(world, id)).rejects.toThrow("is delivered; it cannot be taken back");
  });
});

describe("the gate", () => {
  const now = 1_000_000;
  /** What becomes of a message to a Pi that says this of itself; its process began at 500,000. */
  async function brought(said: object): Promise<string> {
    const { world, store, say, alive } = setUp("pi");
    alive.since = 500_000;
    await pretendPi(world, { since: now, ...said });
    const { id } = say("pi", "x");
    await deliverTo({ ...world, now: () => now }, store, "pi");
    const letter = store.find(id);
    return `${letter?.state}${letter?.reason === undefined ? "" : `: ${letter.reason}`}`;
  }

  test("what would disturb holds a message, and says so; what takes messages gets it", async () => {
    for (const state of ["idle", "working"]) expect([state, await brought({ state })]).toEqual([state, "delivered"]);
    expect(await brought({ state: "waiting-permission" })).toBe("held: a permission question is open");
    expect(await brought({ state: "waiting-input" })).toBe("held: a question is open");
    expect(await brought({ state: "draining" })).toBe("held: it is ending");
    expect(await brought({ state: "starting" })).toMatch(/^queued: it is starting/);
  });

  test("a limit holds until its end, or a minute where nobody said when; one of before this process was holds nothing", async () => {
    const until = now + 60_000;
    const held = `held: its provider's limit is reached until ${new Date(until).toISOString()}`;
    expect(await brought({ state: "limited", until })).toBe(held);
    expect(await brought({ state: "limited", until: now })).toBe("delivered");
    expect(await brought({ state: "limited", since: now - 59_000 })).toBe("held: its provider's limit is reached");
    expect(await brought({ state: "limited", since: now - 60_000 })).toBe("delivered");
    expect(await brought({ state: "limited", since: 498_000, until })).toBe("delivered");
  });

  test("a refused login holds for good, until the agent was started anew", async () => {
    expect(await brought({ state: "auth-failed", since: 600_000 })).toBe("held: it is not logged in at its provider");
    expect(await brought({ state: "auth-failed", since: 499_500 })).toBe("held: it is not logged in at its provider"); // whole seconds
    expect(await brought({ state: "auth-failed", since: 498_000 })).toBe("delivered");
  });

  test("nobody lives there: it waits; nobody of that name is there: it is a dead letter, and what was delivered stays so", async () => {
    const { world, store, say, alive } = setUp("co");
    Object.assign(alive, { wanted: "down", process: "none", pid: undefined, since: undefined });
    const { id } = say("co", "x");
    await deliverTo(world, store, "co");
    expect(store.find(id)).toMatchObject({ state: "queued", reason: "it is stopped", attempts: 0, closed: false });
    const [gone, had] = [say("gone", "x"), say("gone", "y")];
    store.move(had.id, { state: "delivered", deliveredAt: 1 }, 1);
    await deliverTo(world, store, "gone");
    expect(store.find(gone.id)).toMatchObject({ state: "failed", closed: true });
    expect(store.find(had.id)).toMatchObject({ state: "delivered", reason: "the agent is gone", closed: true });
  });
});

describe("sending", () => {
  const post = { do: "send", text: "x", mode: "next", by: { kind: "person" }, to: ["co"], id: "one" } as const;

  test("an answer is not waited for where the turn broke", async () => {
    const { world, store } = setUp("co");
    const draft = { id: "one", to: "co", from: { kind: "person", name: "me" }, mode: "next", body: "x" } as const;
    const { id } = accept(store, draft, 1);
    store.move(id, { state: "acted", reason: "it was interrupted", deliveredAt: 1 }, 1);
    const { agents } = await observe(world);
    const [sent] = await send(world, { ...post, wait: { for: "answered", ms: 60_000 } }, { agents });
    expect(sent).toMatchObject({ id, state: "acted", reason: "it was interrupted" });
  }, 9_000);

  test("a message is left to another deliverer as soon as that one has said something of it", async () => {
    const { world, store } = setUp("co");
    const other = tryLock(join(world.home.locks, "co.delivery.lock"));
    const { agents } = await observe(world);
    const sent = send(world, post, { agents });
    await expect.poll(() => store.find("one")?.state).toBe("queued");
    store.shut("co", "held", "a question is open", 1);
    expect(await sent).toMatchObject([{ state: "held", reason: "a question is open" }]);
    other?.release();
  }, 9_000);

  test("to somebody twice is once; it may wait so long; an agent's message owes an answer, a person's only where asked", async () => {
    const { world, store, alive } = setUp("mos", "co");
    Object.assign(alive, { process: "none", pid: undefined, since: undefined });
    const at = { ...world, now: () => 5_000 };
    const { agents } = await observe(world);
    const plain = { ...post, id: undefined };
    const sent = await send(at, { ...plain, to: ["co", "co"], expireMs: 1_000 }, { agents });
    expect(sent.map((one) => [one.to, one.expires_at])).toEqual([["co", new Date(6_000).toISOString()]]);
    const byAgent = { kind: "agent", name: "co", token: undefined } as const;
    const told = await send(at, { ...plain, by: byAgent, to: "all" }, { agents });
    expect(told.map((one) => [one.to, one.from.name])).toEqual([["mos", "co"]]);
    await expect(send(at, { ...post, to: "all" }, { agents })).rejects.toThrow("for one receiver");
    for (const { id } of [...sent, ...told]) store.move(id, { state: "delivered", deliveredAt: 5_000 }, 5_000);
    expect(store.late(Number.MAX_SAFE_INTEGER).map((letter) => letter.from.kind)).toEqual(["agent"]);
  });
});
