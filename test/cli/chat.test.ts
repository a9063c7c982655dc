import { spawnSync } from "node:child_process";
import { chmodSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { request } from "node:http";
import { dirname } from "node:path";

import { expect, onTestFinished, test } from "vitest";

import { remote } from "../../src/api/client.ts";
import type { ConsoleLine } from "../../src/contract/console.ts";
import type { Message } from "../../src/contract/message.ts";
import { FleetError } from "../../src/lib/errors.ts";
import { pause, until } from "../../src/lib/wait.ts";
import { openStore } from "../../src/mail/store.ts";
import { comes } from "../comes.ts";
import { serve, whileDaemonsDie } from "../kills.ts";
import { bin, makeRig, rosterOf, type Rig } from "../rig.ts";
import { typedIn } from "../typed.ts";

const mos = `{ name: mos, role: orchestrator, runtime: command, command: [cat], workdir: ~/work }`;
const co = `{ name: co, runtime: command, command: [cat], workdir: ~/work }`;

async function setUp(...agents: string[]): Promise<Rig> {
  const rig = makeRig();
  rig.roster(rosterOf(mos, ...agents));
  expect((await rig.fleet("start")).code).toBe(0);
  return rig;
}
const get = (rig: Rig, path: string) =>
  new Promise<{ status: number; text: string }>((resolve, reject) => {
    request({ socketPath: rig.home.api, path }, (answer) => {
      let text = "";
      answer.setEncoding("utf8").on("data", (part: string) => (text += part));
      answer.on("end", () => resolve({ status: answer.statusCode ?? 0, text }));
    })
      .on("error", reject)
      .end();
  });

test("chat says one thing and prints what comes of it: a message for the orchestrator, a command for the fleet", async () => {
  const rig = await setUp(co);
  expect(await rig.fleet("chat", "hello", "there")).toMatchObject({
    code: 0,
    out: "Typed into the terminal of mos, which can say no more.\n",
  });
  expect((await rig.fleet("tail", "mos", "-n", "50")).out).toContain("hello there");
  expect((await rig.fleet("chat", "/ps")).out).toMatch(/AGENT[\s\S]*mos +\* +running[\s\S]*co +running/);
  expect((await rig.fleet("chat", "/restart", "co")).out).toMatch(/^co: restarted, running after/);
  expect((await rig.fleet("chat", "/ask", "co", "from afar")).out).toMatch(/^Typed into the terminal of co/);
  expect((await rig.mosaic(["fleet", "chat"], { input: "by pipe\n" })).code).toBe(0);
  const { messages } = JSON.parse((await rig.fleet("inbox", "--json")).out) as { messages: Message[] };
  expect(messages.map((one) => [one.to, one.text, one.from.kind])).toEqual([
    ["mos", "hello there", "owner"],
    ["co", "from afar", "owner"],
    ["mos", "by pipe", "owner"],
  ]);
});

test("what is pasted into a conversation is one message, however many lines it has", async () => {
  const rig = await setUp();
  const { sees, type, press, code } = await typedIn(rig, "fleet chat");
  await sees("Ctrl-D leaves");
  await type("a trace:\n  at one\n  at two");
  await sees("Typed into the terminal of mos");
  await type("and a line");
  const texts = async () =>
    (JSON.parse((await rig.fleet("inbox", "--json")).out) as { messages: Message[] }).messages.map((one) => one.text);
  await expect.poll(texts, { timeout: 10_000 }).toEqual(["a trace:\n  at one\n  at two", "and a line"]);
  await press("C-d");
  expect(await code()).toBe("exit=0");
});

test("a daemon that is killed under a conversation is brought up again, and what was written meanwhile is said", async () => {
  const rig = await setUp();
  const { sees, type } = await typedIn(rig, "fleet chat");
  await sees("Ctrl-D leaves");
  const pid = rig.daemonPid() ?? 0;
  process.kill(pid, "SIGKILL");
  await sees("The daemon is away");
  await type("are you there?");
  await sees("The daemon is back.");
  await sees("Typed into the terminal of mos");
  expect(rig.daemonPid()).not.toBe(pid);
});

test("who waits no longer for an answer reads what it waits for", async () => {
  const rig = await setUp();
  await rig.fleet("stop", "mos");
  expect(await rig.fleet("chat", "hello", "--timeout", "6s")).toMatchObject({
    code: 5,
    err: expect.stringMatching(/There is no answer yet; [^]*Your message waits for mos: it is stopped/),
  });
});

test("what the daemon does not take ends the chat with its sentence, and waits for nothing", async () => {
  const rig = await setUp();
  const said = rig.mosaic(["fleet", "chat", "-"], { input: "a".repeat(1_200_000) });
  const late = pause(10_000).then(() => "it waits still");
  expect(await Promise.race([said, late])).toMatchObject({ code: 2, err: expect.stringContaining("Too big") });
});

test("one turn that answers what two terminals said is the answer of both", async () => {
  const rig = makeRig();
  rig.roster(rosterOf(mos));
  await rig.fleet("chat", "/ps"); // one daemon: of two that begin at once the second would outlive the test
  const said = ["first", "second"].map((text) => rig.fleet("chat", text, "--timeout", "30s"));
  const mail = openStore(rig.home.messages);
  onTestFinished(() => mail.close());
  await expect.poll(() => mail.list({ to: "mos", last: 9 }), { timeout: 15_000 }).toHaveLength(2);
  const answeredAt = Date.now();
  for (const { id } of mail.list({ to: "mos", last: 9 }))
    mail.move(id, { state: "answered", answer: "both are done", answeredAt, closed: true }, answeredAt);
  expect(await Promise.all(said)).toMatchObject([
    { code: 0, out: "both are done\n" },
    { code: 0, out: "both are done\n" },
  ]);
});

test("a fleet that was never started has its chat, and says how it is", async () => {
  const rig = makeRig();
  rig.roster(rosterOf(mos));
  expect(await rig.fleet("chat", "/ps")).toMatchObject({ code: 0, out: expect.stringMatching(/mos +\* +stopped/) });
});

test("an agent has no chat, no accounts, and nobody says what is no JSON", async () => {
  const rig = await setUp();
  const asAgent = (...words: string[]) =>
    rig.mosaic(["fleet", ...words], { env: { MOSAIC_AGENT: "mos", MOSAIC_AGENT_TOKEN: "x" } });
  for (const words of [
    ["chat", "hi"],
    ["connect", "list"],
    ["connect", "pair", "discord"],
    ["connect", "add", "discord", "--owner", "1"],
  ])
    expect(await asAgent(...words)).toMatchObject({ code: 4, out: "" });
  const { control } = remote(rig.home.api);
  await expect(
    control.run({
      do: "interrupt",
      agent: "mos",
      by: { kind: "chat", account: "console", speaker: "local", name: "x", standing: "owner" },
    }),
  ).rejects.toThrow(/no request of ours: by/);
  await expect(
    control.run({ do: "stop", agents: ["mos"], by: { kind: "agent", name: "mos", token: "forged" } }),
  ).rejects.toThrow(/token/);
});

test("the socket is the owner's alone; health and metrics are there; a second daemon is refused", async () => {
  const rig = await setUp();
  expect([statSync(rig.home.api).mode & 0o777, statSync(dirname(rig.home.api)).mode & 0o777]).toEqual([0o600, 0o700]);
  const health = await get(rig, "/healthz");
  expect([health.status, JSON.parse(health.text)]).toMatchObject([
    200,
    { ok: true, connectors: { console: { state: "up" } } },
  ]);
  const { text } = await get(rig, "/metrics");
  expect(text).toMatch(/^mosaic_agent_state\{agent="mos",role="orchestrator",runtime="command",state="running"\} 1$/m);
  for (const line of text.trim().split("\n"))
    expect(line).toMatch(/^(# (HELP|TYPE) \w+ .+|\w+(\{(\w+="[^"]*",?)*\})? [\d.e+-]+)$/);
  expect((await get(rig, "/nothing")).status).toBe(404);
  expect(await rig.fleet("serve")).toMatchObject({
    code: 4,
    err: expect.stringMatching(/A daemon of this home runs already/),
  });
});

test("a damaged database of the chats is told by doctor, is one line of the log, and is all that is lost", async () => {
  const rig = makeRig();
  rig.roster(rosterOf(mos));
  writeFileSync(rig.home.chat, "garbage".repeat(2_000));
  expect((await rig.fleet("start")).code).toBe(0);
  expect(await rig.fleet("doctor")).toMatchObject({
    code: 4,
    out: expect.stringContaining(`${rig.home.chat}: it is no database of ours`),
  });
  expect(await rig.fleet("chat", "/ps")).toMatchObject({ code: 5 }); // waits for two of the daemon's tries
  renameSync(rig.home.chat, `${rig.home.chat}.damaged`);
  expect(await rig.fleet("chat", "/ps")).toMatchObject({ code: 0, out: expect.stringMatching(/mos +\* +running/) });
  const log = readFileSync(`${rig.home.log}/fleet.jsonl`, "utf8");
  expect(log.split("\n").filter((line) => line.includes("api-fault"))).toHaveLength(1);
  expect((await rig.fleet("doctor")).out).not.toContain("database");
});

test("a socket that somebody has cleaned away is there again, and the daemon is the same", async () => {
  const rig = await setUp();
  await rig.fleet("chat", "/ps");
  const pid = rig.daemonPid();
  rmSync(rig.home.api);
  expect(await rig.fleet("chat", "/ps")).toMatchObject({ code: 0, out: expect.stringMatching(/mos +\* +running/) });
  expect(statSync(rig.home.api).mode & 0o777).toBe(0o600);
  expect(rig.daemonPid()).toBe(pid);
});

test("the fleet through the daemon is the fleet of the command line: state, outcomes, errors, progress, events", async () => {
  const rig = await setUp(co);
  const { control } = remote(rig.home.api);
  const by = { kind: "person" } as const;
  const plain = (agents: readonly object[]) => agents.map((one) => ({ ...one, evidence: 0, heartbeat: 0 }));
  expect(plain((await control.state()).agents)).toEqual(plain(await rig.ps()));
  const stop = new AbortController();
  const seen: string[] = [];
  const watching = (async () => {
    for await (const { state } of control.watch(stop.signal))
      seen.push(state.agents.find((one) => one.name === "co")?.state ?? "");
  })();
  const told: string[] = [];
  expect(await control.run({ do: "stop", agents: ["co"], by }, (line) => told.push(line))).toMatchObject({
    did: "stop",
    agents: [{ agent: "co", did: "stopped" }],
  });
  expect(told.length).toBeGreaterThan(0);
  await expect.poll(() => seen).toEqual(expect.arrayContaining(["running", "stopped"]));
  const kept = await control.run({ do: "send", to: ["co"], text: "for later", mode: "next", by });
  expect(kept).toMatchObject({ did: "send", messages: [{ to: "co", state: "queued" }] });
  const refused = await control
    .run({ do: "interrupt", agent: "cos", by })
    .catch((error: unknown) => error as FleetError);
  const typed = await rig.fleet("interrupt", "cos");
  expect(refused).toBeInstanceOf(FleetError);
  expect(typed).toMatchObject({
    code: 3,
    err: `${(refused as FleetError).message}\nNext: ${(refused as FleetError).hint}\n`,
  });
  expect(await control.run({ do: "start", agents: ["co"], by })).toMatchObject({ agents: [{ did: "started" }] });
  stop.abort();
  await watching;
  process.kill(rig.daemonPid() ?? 0, "SIGKILL");
  await expect(control.state()).rejects.toThrow(/The daemon does not answer/);
});

test("kill -9 of the daemon at random: what was said is kept once, in order, and what it comes to is told once", async () => {
  const rig = await setUp();
  const { console: door } = remote(rig.home.api);
  const said = Array.from({ length: 150 }, (_, at) => `line ${at}`);
  const kills = await whileDaemonsDie(rig, { seed: 7, leastMs: 150, mostMs: 650 }, async (roll) => {
    for (const [at, text] of said.entries()) {
      const say = () =>
        door.say({ id: `id-${at}`, text }).then(
          () => true as const,
          () => undefined,
        );
      expect(await until(say, { withinMs: 20_000 }), text).toBe(true);
      await pause(roll(50)); // people's pace
    }
  });
  expect(kills).toBeGreaterThan(3);
  await comes(async () => ((await get(rig, "/healthz").catch(() => undefined))?.status === 200 ? true : undefined), {
    withinMs: 10_000,
  });
  const lines = await linesOf(
    rig,
    (all) => all.filter((line) => line.kind === "mark" && line.mark === "done").length >= said.length,
  );
  const count = (kind: string, what: (line: ConsoleLine) => string) => {
    const all = lines.filter((line) => line.kind === kind).map(what);
    return [all.length, new Set(all).size];
  };
  expect(lines.flatMap((line) => (line.kind === "said" ? [line.text] : []))).toEqual(said);
  expect(count("text", (line) => (line.kind === "text" ? (line.replyTo ?? "") : ""))).toEqual([150, 150]);
  const { messages } = JSON.parse((await rig.fleet("inbox", "mos", "-n", "1000", "--json")).out) as {
    messages: Message[];
  };
  expect(messages.map((one) => one.text)).toEqual(said);
  const typed = (await rig.fleet("tail", "mos", "-n", "2000")).out;
  for (const text of [said[0], said[75], said[149]]) expect(typed).toContain(text);
}, 90_000);

async function linesOf(rig: Rig, isWhole: (lines: ConsoleLine[]) => boolean): Promise<ConsoleLine[]> {
  const lines: ConsoleLine[] = [];
  const end = new AbortController();
  const timer = setTimeout(() => end.abort(), 40_000);
  try {
    for await (const line of remote(rig.home.api).console.follow(1_000, end.signal)) {
      lines.push(line);
      if (isWhole(lines)) break;
    }
  } finally {
    clearTimeout(timer);
  }
  return lines;
}

test("in a real terminal: what was said before, what comes, a line that cannot move the cursor, Ctrl-D", async () => {
  const rig = await setUp();
  await rig.fleet("chat", "/ps");
  const socket = `${rig.root}/chat.tmux`;
  const tmux = (...args: string[]) =>
    spawnSync("tmux", ["-S", socket, ...args], { encoding: "utf8", env: rig.env }).stdout;
  onTestFinished(() => void tmux("kill-server"));
  tmux("new-session", "-d", "-x", "100", "-y", "30", `${process.execPath} ${bin} fleet chat; echo ended $?; sleep 60`);
  const shows = (text: string) => expect.poll(() => tmux("capture-pane", "-p"), { timeout: 15_000 }).toContain(text);
  await shows("AGENT");
  tmux("send-keys", "-l", "hello mos");
  tmux("send-keys", "Enter");
  await shows("fleet: Typed into the terminal of mos");
  tmux("send-keys", "-l", "half typed");
  const pid = rig.daemonPid() ?? 0;
  process.kill(pid, "SIGKILL");
  serve(rig);
  await comes(() => (rig.daemonPid() === pid ? undefined : true), { withinMs: 10_000 });
  await rig.fleet("chat", "/status", "mos\u001b[2J");
  await shows("There is no agent mos");
  await shows("> half typed");
  tmux("send-keys", "C-u");
  // Pasted, and gone at once: said all the same, in their order.
  const pasted = Array.from({ length: 8 }, (_, at) => `pasted ${at}`);
  tmux("set-buffer", `${pasted.join("\n")}\n`, ";", "paste-buffer", ";", "send-keys", "C-d");
  await shows("ended 0");
  const { messages } = JSON.parse((await rig.fleet("inbox", "mos", "--json")).out) as { messages: Message[] };
  expect(messages.map((one) => one.text)).toEqual(["hello mos", ...pasted]);
});

test("connect: what is wrong is said before anything is kept, and no token reaches a command line or an answer", async () => {
  const rig = await setUp();
  const file = `${rig.root}/token`;
  writeFileSync(file, "\n");
  const before = rig.rosterText();
  const add = (...args: string[]) => rig.fleet("connect", "add", "discord", ...args);
  expect(await add("--channel", "1")).toMatchObject({
    code: 2,
    err: expect.stringMatching(/needs the server it is in/),
  });
  expect(await add("--guild", "acme")).toMatchObject({ code: 2, err: expect.stringMatching(/not an id of Discord's/) });
  expect(await add("--token-file", file)).toMatchObject({
    code: 2,
    err: expect.stringMatching(/There is no token for discord/),
  });
  expect(await add("--token-file", `${file}-none`)).toMatchObject({ code: 3 });
  for (const odd of ["two words", "pasted…with.an-ellipsis", "bell\u0007"]) {
    writeFileSync(file, odd);
    expect(await add("--token-file", file)).toMatchObject({ code: 2, err: expect.stringMatching(/is no token/) });
  }
  expect(await add("--token-file", file, "--url", "discord.test")).toMatchObject({
    code: 2,
    err: expect.stringMatching(/"discord.test" is no address/),
  });
  writeFileSync(file, "canary.token.0123456789");
  chmodSync(file, 0o600);
  const down = await add("--token-file", file, "--url", "http://127.0.0.1:9/api");
  expect(down).toMatchObject({ code: 5, out: "", err: expect.stringContaining("type the same again") });
  expect(await add("--token-file", file, "--agent", "nobody")).toMatchObject({
    code: 3,
    err: "There is no agent nobody. There are mos.\nNext: mosaic fleet ps\n",
  });
  expect(down.err).not.toContain("canary");
  expect(await rig.fleet("connect", "test", "discord")).toMatchObject({
    code: 3,
    err: expect.stringMatching(/No account is named "discord". There is none yet/),
  });
  expect(await rig.fleet("connect", "remove", "discord")).toMatchObject({ code: 3 });
  expect(rig.rosterText()).toBe(before);
  expect(() => readFileSync(`${rig.home.secrets}/connectors/discord`)).toThrow();
  rig.roster(`${before}connectors:\n  discord: { guild: 123456789012345678 }\n`);
  expect(await rig.fleet("plan")).toMatchObject({ code: 6, err: expect.stringMatching(/an id stands in quotes/) });
  rig.roster(before);
});
