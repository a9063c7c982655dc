import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { DatabaseSync } from "node:sqlite";

import { expect, onTestFinished, test } from "vitest";
import { z } from "zod";

import { Message } from "../../src/contract/message.ts";
import { until } from "../../src/lib/wait.ts";
import { comes } from "../comes.ts";
import { bin, makeRig, rosterOf, type Rig } from "../rig.ts";

const mos = `{ name: mos, role: orchestrator, runtime: command, command: [cat], workdir: ~/work }`;
const worker = (name: string) => `{ name: ${name}, runtime: command, command: [cat], workdir: ~/work }`;

const Sent = z.strictObject({ version: z.literal(1), messages: z.array(z.strictObject(Message.shape)) });
const sent = async (rig: Rig, ...args: string[]) => {
  const ran = await rig.fleet(...args, "--json");
  return { code: ran.code, messages: ran.code === 0 || ran.code === 5 ? Sent.parse(JSON.parse(ran.out)).messages : [] };
};
const tailed = (rig: Rig, name: string, text: string) =>
  until(async () => ((await rig.fleet("tail", name, "-n", "200")).out.includes(text) ? true : undefined), {
    withinMs: 15_000,
  });

test("a message to an agent that does not run is kept, counted, and delivered by the daemon when it does", async () => {
  const rig = makeRig();
  rig.roster(rosterOf(mos, worker("co")));
  const kept = await rig.fleet("send", "co", "for later");
  expect([kept.code, kept.err]).toEqual([0, expect.stringMatching(/^co: accepted: it is kept; it is stopped \(/)]);
  expect((await rig.agent("co")).queue).toBe(1);
  expect((await rig.fleet("inbox", "co")).out).toMatch(/queued: it is stopped +for later/);
  await rig.fleet("start");
  expect(await tailed(rig, "co", "for later")).toBe(true);
  await comes(async () => ((await rig.agent("co")).queue === 0 ? true : undefined), { withinMs: 5_000 });
  const [message] = (await sent(rig, "inbox", "co")).messages;
  expect(message).toMatchObject({ state: "typed", attempts: 1, from: { kind: "person" } });
  const shown = await rig.fleet("inbox", "show", message?.id.slice(0, 8) ?? "");
  expect(shown.out).toMatch(/for later[\s\S]*queued +it is stopped[\s\S]*typed/);
});

test("without the daemon too: kept, and brought along by the next message", async () => {
  const rig = makeRig();
  rig.roster(rosterOf(mos));
  await rig.fleet("start");
  process.kill(rig.daemonPid() ?? 0, "SIGKILL");
  await rig.fleet("stop", "mos");
  await rig.fleet("send", "mos", "first");
  await rig.fleet("start", "mos");
  process.kill(rig.daemonPid() ?? 0, "SIGKILL");
  await rig.fleet("send", "mos", "second");
  const { out } = await rig.fleet("tail", "mos", "-n", "200");
  expect(out.indexOf("first")).toBeGreaterThanOrEqual(0);
  expect(out.indexOf("second")).toBeGreaterThan(out.indexOf("first"));
});

test("to all, to a role, with an id: who got it, once", async () => {
  const rig = makeRig();
  rig.roster(rosterOf(mos, worker("a"), worker("b")));
  await rig.fleet("start");
  expect((await sent(rig, "send", "--all", "hello all")).messages.map((one) => one.to)).toEqual(["mos", "a", "b"]);
  expect(
    (await sent(rig, "send", "--role", "worker", "hello", "you")).messages.map((one) => [one.to, one.text]),
  ).toEqual([
    ["a", "hello you"],
    ["b", "hello you"],
  ]);
  const first = await sent(rig, "send", "a", "--id", "my-1", "once");
  expect((await sent(rig, "send", "a", "--id", "my-1", "once")).messages).toEqual(first.messages);
  expect((await rig.fleet("send", "a", "--id", "my-1", "another")).code).toBe(4);
  expect((await rig.fleet("send", "nobody", "x")).code).toBe(3);
  const { messages } = await sent(rig, "inbox", "a");
  expect(messages.map((one) => one.text)).toEqual(["hello all", "hello you", "once"]);
});

test("waiting: typed is all that a terminal says; what cannot get there in time is said, and stays kept", async () => {
  const rig = makeRig();
  rig.roster(rosterOf(mos, worker("co")));
  await rig.fleet("start", "mos");
  expect((await rig.fleet("send", "mos", "--wait", "delivered", "x")).code).toBe(0);
  const late = await sent(rig, "send", "co", "--wait", "delivered", "--timeout", "1s", "x");
  expect([late.code, late.messages[0]?.state]).toEqual([5, "queued"]);
  const gone = await sent(rig, "send", "co", "--wait", "delivered", "--timeout", "20s", "--expire", "1s", "y");
  expect([gone.code, gone.messages[0]?.state]).toEqual([5, "expired"]);
});

test("taken back is not delivered; tried again it is; what is there cannot be taken back", async () => {
  const rig = makeRig();
  rig.roster(rosterOf(mos));
  const [a, b] = [
    (await sent(rig, "send", "mos", "one")).messages[0],
    (await sent(rig, "send", "mos", "two")).messages[0],
  ];
  expect((await rig.fleet("inbox", "cancel", a?.id ?? "")).err).toContain("taken back by its sender");
  await rig.fleet("start");
  await tailed(rig, "mos", "two");
  expect((await rig.fleet("tail", "mos")).out).not.toContain("one");
  expect((await rig.fleet("inbox", "cancel", b?.id ?? "")).code).toBe(4);
  expect((await rig.fleet("inbox", "retry", a?.id ?? "")).code).toBe(0);
  expect(await tailed(rig, "mos", "one")).toBe(true);
});

test("a message for an agent that left the roster is a dead letter, and says so", async () => {
  const rig = makeRig();
  rig.roster(rosterOf(mos, worker("co")));
  await rig.fleet("start", "mos");
  const [message] = (await sent(rig, "send", "co", "x")).messages;
  rig.roster(rosterOf(mos));
  const dead = await until(
    async () => (await sent(rig, "inbox")).messages.find((one) => one.id === message?.id && one.state === "failed"),
    { withinMs: 10_000 },
  );
  expect(dead?.reason).toBe("there is no agent of that name any more");
});

test("inside an agent: it writes in its own name, framed, sees its own inbox, and may not touch others' messages", async () => {
  const rig = makeRig();
  rig.roster(rosterOf(mos, worker("co")));
  await rig.fleet("start");
  const { pid } = await rig.agent("co");
  const token = /MOSAIC_AGENT_TOKEN=([^\0]+)/.exec(readFileSync(`/proc/${pid}/environ`, "utf8"))?.[1] ?? "";
  const env = { MOSAIC_AGENT: "co", MOSAIC_AGENT_TOKEN: token };
  const ran = await rig.mosaic(["fleet", "send", "mos", "--json", "I am done"], { env });
  const [message] = Sent.parse(JSON.parse(ran.out)).messages;
  expect(message?.from).toEqual({ kind: "agent", name: "co" });
  await tailed(rig, "mos", "I am done");
  const { out } = await rig.fleet("tail", "mos", "-n", "200");
  expect(out).toContain(`Message ${message?.id} from co, another agent of your fleet`);
  expect(out).toMatch(/=== [0-9a-f]{12} ===\s+I am done\s+=== [0-9a-f]{12} ===/);
  await rig.fleet("stop", "mos");
  const [other] = (await sent(rig, "send", "mos", "a person's")).messages;
  expect((await rig.mosaic(["fleet", "inbox", "cancel", other?.id ?? ""], { env })).code).toBe(4);
  expect((await rig.mosaic(["fleet", "inbox"], { env })).err).toContain("There are no messages to co.");
  const forged = { ...env, MOSAIC_AGENT_TOKEN: "x" };
  expect((await rig.mosaic(["fleet", "send", "mos", "x"], { env: forged })).code).toBe(4);
});

test("while a person has taken over the terminal messages are held, and come when they leave", async () => {
  const rig = makeRig();
  rig.roster(rosterOf(mos));
  await rig.fleet("start");
  const socket = `${rig.root}/outer.tmux`;
  const tmux = (...args: string[]) =>
    spawn("tmux", ["-S", socket, "-f", "/dev/null", ...args], { env: rig.env, stdio: "ignore" });
  onTestFinished(() => void tmux("kill-server"));
  tmux("new-session", "-d", "-x", "100", "-y", "30", `${process.execPath} ${bin} fleet attach mos --take-over`);
  const held = await until(
    async () => {
      const [message] = (await sent(rig, "send", "mos", "--id", "h-1", "held back")).messages;
      return message?.state === "held" ? message : undefined;
    },
    { withinMs: 1_000 },
  );
  if (held === undefined) {
    // It came before the person was there; the next one does not.
    const next = await until(
      async () => {
        const [message] = (await sent(rig, "send", "mos", "held back")).messages;
        return message?.state === "held" ? message : undefined;
      },
      { withinMs: 10_000 },
    );
    expect(next?.reason).toBe("a person has taken over its terminal");
  }
  expect((await rig.agent("mos")).queue).toBeGreaterThan(0);
  tmux("send-keys", "C-b", "d");
  await comes(async () => ((await rig.agent("mos")).queue === 0 ? true : undefined), { withinMs: 10_000 });
  expect((await rig.agent("mos")).queue).toBe(0);
});

test("a locked database refuses with a reason, and the message is not there", async () => {
  const rig = makeRig();
  rig.roster(rosterOf(mos));
  await rig.fleet("send", "mos", "first");
  const db = new DatabaseSync(rig.home.messages);
  db.exec("BEGIN EXCLUSIVE");
  const refused = await rig.fleet("send", "mos", "second");
  db.exec("ROLLBACK");
  db.close();
  expect([refused.code, refused.err]).toEqual([
    4,
    expect.stringContaining("another process has kept it locked. Nothing was accepted."),
  ]);
  expect((await sent(rig, "inbox")).messages.map((one) => one.text)).toEqual(["first"]);
});

test("kill -9 of senders at any moment: what was acknowledged is there, once, and nothing else twice", async () => {
  const rig = makeRig();
  rig.roster(rosterOf(mos));
  await rig.fleet("send", "mos", "--id", "begin", "x");
  const acknowledged: string[] = [];
  await Promise.all(
    Array.from({ length: 4 }, async (_, lane) => {
      for (let at = 0; at < 12; at++) {
        const id = `m-${lane}-${at}`;
        const child = spawn(process.execPath, [bin, "fleet", "send", "mos", "--id", id, `text of ${id}`], {
          env: rig.env,
          stdio: "ignore",
        });
        const timer = setTimeout(() => child.kill("SIGKILL"), 60 + ((lane * 31 + at * 17) % 120));
        const code = await new Promise((resolve) => child.on("close", resolve));
        clearTimeout(timer);
        if (code === 0) acknowledged.push(id);
      }
    }),
  );
  const { messages } = await sent(rig, "inbox", "-n", "999");
  const ids = messages.map((one) => one.id);
  expect(new Set(ids).size).toBe(ids.length);
  expect(ids).toEqual(expect.arrayContaining(acknowledged));
  for (const one of messages) if (one.id !== "begin") expect(one.text).toBe(`text of ${one.id}`);
});
