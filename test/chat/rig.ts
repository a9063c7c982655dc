import { join } from "node:path";

import { expect, onTestFinished } from "vitest";

import { runChat, type ChatSurroundings } from "../../src/chat/chat.ts";
import type { Approval, Command, FleetControl } from "../../src/contract/command.ts";
import type { Wiring } from "../../src/contract/connector.ts";
import { Bell } from "../../src/daemon/bell.ts";
import { openStore } from "../../src/mail/store.ts";
import { scratchFolder } from "../scratch.ts";
import { makeVillage, wiring, type Village } from "./village.ts";

const never = () => Promise.reject(new Error("not in this test"));

/** The whole chat on a village in memory, with a real mail and a real database. */
export function setUp(
  roster: Partial<Wiring> = {},
  folder = scratchFolder("chat"),
  more: { around?: Partial<ChatSurroundings>; run?: FleetControl["run"]; village?: Village } = {},
) {
  const village = more.village ?? makeVillage();
  const logs: string[] = [];
  const mail = openStore(join(folder, "fleet.db"));
  const stop = new AbortController();
  const commands: Command[] = [];
  const approvals: Approval[] = [];
  let people = { ...wiring, ...roster };
  /** Other accounts, before this one. */
  const wirings: Partial<Wiring>[] = [];
  let looks = 0;
  const control: FleetControl = {
    state: never,
    watch: () => ({ [Symbol.asyncIterator]: () => ({ next: never }) }),
    run: async (command, tell) => {
      commands.push(command);
      if (more.run !== undefined) return more.run(command, tell);
      if (command.do !== "answer")
        return { did: "restart", agents: [{ agent: "mos", did: "restarted", note: "running" }] };
      const [approval] = approvals.splice(0);
      return { did: "answer", approval: approval as Approval, decision: command.decision };
    },
  };
  const chat = runChat(
    {
      fleet: {
        control,
        agents: async () => [
          { name: "mos", role: "orchestrator" },
          { name: "co", role: "worker" },
        ],
        approvals: async () => {
          looks++;
          return [...approvals];
        },
      },
      mail,
      path: join(folder, "chat.db"),
      files: join(folder, "files"),
      wirings: async () => [...wirings.map((one) => ({ ...wiring, ...one })), people],
      open: async ({ account }) => {
        if (account === "broken") throw new Error("not readable");
        return { connector: village.connector, lockPath: join(folder, "village.lock") };
      },
      secretMark: () => "",
      bell: () => new Bell(),
      now: Date.now,
      random: () => 0,
      log: (event, note) => void logs.push(`${event} ${note}`),
      ...more.around,
    },
    stop.signal,
  );
  const end = async () => {
    stop.abort();
    await chat.done;
    mail.close();
  };
  onTestFinished(async () => {
    if (!stop.signal.aborted) await end();
  });
  const letters = () => mail.list({ last: 100 });
  return {
    folder,
    village,
    mail,
    commands,
    approvals,
    logs,
    wirings,
    looks: () => looks,
    chat,
    end,
    letters,
    people: (change: Partial<Wiring>) => void (people = { ...people, ...change }),
    connected: () => expect.poll(() => village.intake()).toBeDefined(),
    /** The agent answers whatever waits for it. */
    answer(text: string, at = Date.now()) {
      for (const letter of letters().filter((one) => !one.closed))
        mail.move(letter.id, { state: "answered", answer: text, deliveredAt: at, answeredAt: at, closed: true }, at);
      chat.ring();
    },
  };
}

export const ready = async (rig: ReturnType<typeof setUp>) => {
  await expect.poll(() => rig.chat.health().get("village")?.state).toBe("up");
  return rig;
};
export const marksOf = (village: Village) => village.sent.flatMap((out) => (out.kind === "mark" ? [out.mark] : []));

/** What an agent asks to be allowed. */
export const question = (id: string, what: string, more: Partial<Approval> = {}): Approval => ({
  agent: "co",
  id,
  what,
  cwd: "/w",
  reason: null,
  at: new Date().toISOString(),
  ...more,
});
