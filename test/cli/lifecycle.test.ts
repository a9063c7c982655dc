import { existsSync, mkdirSync, readFileSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import { expect, test } from "vitest";

import { markedProcesses } from "../../src/lib/proc.ts";
import { until } from "../../src/lib/wait.ts";
import { comes } from "../comes.ts";
import { makeRig, rosterOf } from "../rig.ts";

const mos = `{ name: mos, role: orchestrator, runtime: command, command: [sh, -c, 'exec sleep 1000'], workdir: ~/work }`;
const worker = (name: string, shell = "exec cat") =>
  `{ name: ${name}, runtime: command, command: [sh, -c, '${shell}'], workdir: ~/work }`;

test("a fleet's day: plan, start, ps, send, tail, restart, stop; a second start changes nothing", async () => {
  const rig = makeRig();
  rig.roster(rosterOf(mos, worker("co"), worker("co-1")));
  expect((await rig.fleet("plan")).out).toContain("new in the roster");
  const started = await rig.fleet("start");
  expect([started.code, started.err]).toEqual([0, "Next: mosaic fleet ps\n"]);
  const first = await rig.ps();
  expect(first.map((agent) => [agent.name, agent.state, agent.evidence.source])).toEqual([
    ["mos", "running", "process"],
    ["co", "running", "process"],
    ["co-1", "running", "process"],
  ]);
  expect((await rig.fleet("start")).out).toMatch(/unchanged.*\n.*unchanged.*\n.*unchanged/);
  expect((await rig.ps()).map((agent) => agent.pid)).toEqual(first.map((agent) => agent.pid));

  const sent = await rig.fleet("send", "co", "--json", "two; words; -t {x} $(id)");
  expect(JSON.parse(sent.out)).toMatchObject({ messages: [{ to: "co", state: "typed", mode: "next" }] });
  await comes(
    async () => ((await rig.fleet("tail", "co")).out.split("two; words; -t {x} $(id)").length === 3 ? true : undefined),
    { withinMs: 10_000 },
  );
  expect((await rig.fleet("tail", "co-1")).out.trim()).toBe("");

  expect((await rig.fleet("restart", "co")).out).toContain("restarted");
  const again = await rig.ps();
  expect(again[1]?.pid).not.toBe(first[1]?.pid);
  expect(again[2]?.pid).toBe(first[2]?.pid);

  expect((await rig.fleet("stop")).code).toBe(0);
  expect((await rig.ps()).map((agent) => agent.state)).toEqual(["stopped", "stopped", "stopped"]);
  expect(markedProcesses([`MOSAIC_HOME=${rig.home.root}`, "MOSAIC_AGENT=co"])).toEqual([]);
  expect(
    existsSync(rig.home.sockets) ? readdirSync(rig.home.sockets).filter((file) => !file.endsWith(".tmux")) : [],
  ).toEqual(["fleet.api"]); // the daemon's, which lives on
});

test("stopped stays stopped: not the daemon, not apply, not a restart of the daemon starts it; start does", async () => {
  const rig = makeRig();
  rig.roster(rosterOf(mos, worker("co")));
  await rig.fleet("start");
  await rig.fleet("stop", "co");
  const daemon = rig.daemonPid();
  process.kill(daemon ?? 0, "SIGKILL");
  expect((await rig.fleet("apply")).err).toContain("Nothing to do");
  await rig.fleet("start", "mos");
  await comes(() => (rig.daemonPid() === daemon ? undefined : true), { withinMs: 10_000 });
  expect((await rig.agent("co")).state).toBe("stopped");
  expect((await rig.fleet("plan")).err).toContain("co is left alone (stopped on purpose)");
  expect((await rig.fleet("verify")).out).toContain("co is stopped on purpose");
  await rig.fleet("start", "co");
  expect((await rig.agent("co")).state).toBe("running");
});

test("the daemon's death ends no agent; the next one adopts them and brings back what fell meanwhile", async () => {
  const rig = makeRig();
  rig.roster(rosterOf(mos, worker("co")));
  await rig.fleet("start");
  const [leader, co] = await rig.ps();
  process.kill(rig.daemonPid() ?? 0, "SIGKILL");
  process.kill(co?.pid ?? 0, "SIGKILL");
  await rig.settled("co", (agent) => agent.state === "dead");
  expect((await rig.fleet("verify")).code).toBe(5);
  expect((await rig.fleet("status")).out).toContain("daemon down");
  await rig.fleet("start", "mos");
  const back = await rig.settled("co", (agent) => agent.state === "running");
  expect(back.restarts).toBe(1);
  expect((await rig.agent("mos")).pid).toBe(leader?.pid);
});

test("a second daemon is refused, and the first is unharmed", async () => {
  const rig = makeRig();
  rig.roster(rosterOf(mos));
  await rig.fleet("start");
  const pid = rig.daemonPid();
  const second = await rig.fleet("serve");
  expect([second.code, second.err]).toEqual([4, "A daemon of this home runs already.\nNext: mosaic fleet status\n"]);
  expect(rig.daemonPid()).toBe(pid);
});

test("drift: a changed roster is shown, apply restarts what changed and stops what left, and then nothing is left to plan", async () => {
  const rig = makeRig();
  rig.roster(rosterOf(mos, worker("co"), worker("old")));
  await rig.fleet("start");
  const before = await rig.ps();
  rig.roster(rosterOf(mos, worker("co", "exec sleep 2000")));
  const now = await rig.ps();
  expect(now.map((agent) => [agent.name, agent.managed, agent.drift])).toEqual([
    ["mos", true, []],
    ["co", true, ["command changed since its start"]],
    ["old", false, ["not in the roster"]],
  ]);
  expect((await rig.fleet("verify")).code).toBe(5);
  const { changes } = JSON.parse((await rig.fleet("plan", "--json")).out) as {
    changes: { kind: string; agent: string }[];
  };
  expect(changes.map((change) => [change.kind, change.agent])).toEqual([
    ["restart", "co"],
    ["stop", "old"],
  ]);
  expect((await rig.fleet("apply")).code).toBe(0);
  expect(JSON.parse((await rig.fleet("plan", "--json")).out)).toMatchObject({ changes: [] });
  expect((await rig.agent("mos")).pid).toBe(before[0]?.pid);
  expect((await rig.fleet("verify")).code).toBe(0);
});

test("an agent that cannot live is held; explain shows the evidence and its last screen", async () => {
  const rig = makeRig();
  rig.roster(rosterOf(mos, worker("co", "echo I cannot go on; exit 9")));
  const started = await rig.fleet("start");
  expect(started.code).toBe(5);
  expect(started.err).toContain("Next: mosaic fleet explain co");
  await rig.fleet("start", "mos");
  await rig.settled("co", (agent) => agent.state === "dead" && agent.drift.includes("held after crashes"));
  const explained = await rig.fleet("explain", "co");
  expect(explained.out).toContain("co is dead: held: it ended 5 times within 120 s, last with exit code 9");
  expect(explained.out).toContain("I cannot go on");
  expect((await rig.fleet("logs", "co")).out).toContain("quarantined");
  expect((await rig.fleet("plan")).err).toContain("co is left alone (held");
});

test("one agent that fails hides nobody: the others start, the daemon watches, and the exit code says it", async () => {
  const rig = makeRig();
  rig.roster(rosterOf(mos, worker("bad", "exit 9"), worker("co")));
  const started = await rig.fleet("start");
  expect([started.code, started.err]).toEqual([5, "Next: mosaic fleet explain bad\n"]);
  expect(started.out).toMatch(/mos +started.*\nbad +failed +it ended right after its start.*\nco +started/);
  expect(rig.daemonPid()).toBeTypeOf("number");
  expect((await rig.agent("co")).state).toBe("running");
});

test("an agent that ends at once is reported with its exit code, however long its last screen takes", async () => {
  const rig = makeRig();
  // What the launch wrapper keeps the last screen with, on a machine that has much to do.
  mkdirSync(join(rig.root, "slow"));
  writeFileSync(join(rig.root, "slow", "tmux"), "#!/bin/sh\nsleep 0.7\n", { mode: 0o755 });
  const env = `env: { PATH: "${rig.root}/slow:/usr/bin:/bin" }, restart: never`;
  rig.roster(rosterOf(mos, worker("co", "exit 9").replace(" }", `, ${env} }`)));
  expect((await rig.fleet("start")).out).toMatch(/co +failed +it ended right after its start: .*exit code was 9/);
});

test("who left the roster while it was down is shown, stopped by apply, and not started again", async () => {
  const rig = makeRig();
  rig.roster(rosterOf(mos, worker("old")));
  await rig.fleet("start");
  process.kill(rig.daemonPid() ?? 0, "SIGKILL");
  process.kill((await rig.agent("old")).pid ?? 0, "SIGKILL");
  rig.roster(rosterOf(mos));
  expect(await rig.settled("old", (agent) => agent.state === "dead")).toMatchObject({
    managed: false,
    drift: ["not in the roster"],
  });
  expect((await rig.fleet("plan")).out).toMatch(/- stop +old +not in the roster/);
  await rig.fleet("apply");
  expect((await rig.ps()).map((agent) => agent.name)).toEqual(["mos"]);
});

test("what would fail is known before anything is stopped, and a running agent is what it was launched as", async () => {
  const rig = makeRig();
  rig.roster(rosterOf(mos, worker("co")));
  await rig.fleet("start");
  const before = await rig.agent("co");
  rig.roster(rosterOf(mos, worker("co").replace("~/work", "~/gone")));
  expect((await rig.fleet("restart", "co")).code).toBe(3);
  expect((await rig.fleet("apply")).code).toBe(3);
  expect((await rig.agent("co")).pid).toBe(before.pid);
  rig.roster(rosterOf(mos, "{ name: co, runtime: pi, workdir: ~/work }"));
  expect(await rig.agent("co")).toMatchObject({ runtime: "command", state: "running" });
  expect(JSON.parse((await rig.fleet("send", "co", "--json", "still a terminal")).out)).toMatchObject({
    messages: [{ state: "typed" }],
  });
});

test("a beat of another process lends nothing: not its model, not its session, not its health", async () => {
  const rig = makeRig();
  rig.roster(rosterOf(mos));
  await rig.fleet("start");
  process.kill(rig.daemonPid() ?? 0, "SIGKILL");
  const ts = new Date().toISOString();
  writeFileSync(
    join(rig.home.run, "mos.hb"),
    `ts=${ts}\npid=1\nstatus=ok\ninterval=15\nstate=idle\nmodel=canary\nsession=canary\n`,
  );
  expect(await rig.agent("mos")).toMatchObject({
    state: "running",
    model: null,
    session_id: null,
    heartbeat: { health: "stale" },
  });
});

test("an agent that a person stopped and that lives on all the same is shown, in the roster or not", async () => {
  const rig = makeRig();
  rig.roster(rosterOf(mos, worker("co")));
  await rig.fleet("start");
  const record = JSON.parse(readFileSync(rig.place("co").unit, "utf8")) as object;
  writeFileSync(rig.place("co").unit, JSON.stringify({ ...record, want: "down" }));
  expect((await rig.agent("co")).state).toBe("draining");
  rig.roster(rosterOf(mos));
  expect(await rig.agent("co")).toMatchObject({ state: "draining", managed: false });
});

test("an empty token file and no token are no token", async () => {
  const rig = makeRig();
  rig.roster(rosterOf(mos, worker("co")));
  await rig.fleet("start");
  writeFileSync(join(rig.home.secrets, "agents", "co"), "");
  for (const env of [{ MOSAIC_AGENT: "co" }, { MOSAIC_AGENT: "co", MOSAIC_AGENT_TOKEN: "" }]) {
    expect((await rig.mosaic(["fleet", "send", "mos", "x"], { env })).code).toBe(4);
  }
});

test("an agent that does not run cannot be interrupted, and that is said", async () => {
  const rig = makeRig();
  rig.roster(rosterOf(mos));
  const ran = await rig.fleet("interrupt", "mos");
  expect([ran.code, ran.err]).toEqual([5, expect.stringContaining("Next: mosaic fleet start mos\n")]);
});

test("a message is words: control characters in it press no key", async () => {
  const rig = makeRig();
  rig.roster(rosterOf(mos, worker("co")));
  await rig.fleet("start");
  const { pid } = await rig.agent("co");
  expect((await rig.mosaic(["fleet", "send", "co", "-"], { input: "a\u0000\u0003b\u0004c\u001b[201~d" })).code).toBe(0);
  await expect
    .poll(async () => (await rig.fleet("tail", "co")).out.split("abc[201~d"), { timeout: 10_000 })
    .toHaveLength(3);
  expect(await rig.agent("co")).toMatchObject({ pid, restarts: 0 });
});

test("where there is no systemd, asking for it is refused and stop still works; auto does without and says why", async () => {
  const rig = makeRig();
  rig.env["XDG_RUNTIME_DIR"] = join(rig.root, "no-such-folder");
  rig.roster(`${rosterOf(mos)}supervisor: systemd\n`);
  const ran = await rig.fleet("start");
  expect([ran.code, ran.err.split("\n")[1]]).toEqual([4, "Next: mosaic fleet init --supervisor auto --yes"]);
  expect(ran.err).toMatch(/^systemd cannot keep agents here: (this machine|no user)/);
  expect((await rig.fleet("install")).code).toBe(4);
  expect((await rig.fleet("init", "--supervisor", "systemd", "--yes")).code).toBe(4);
  expect((await rig.fleet("stop")).code).toBe(0);
  expect((await rig.fleet("init", "--supervisor", "auto", "--yes")).code).toBe(0);
  expect((await rig.fleet("start")).code).toBe(0);
  expect((await rig.fleet("status")).out).toMatch(/supervisor\s+builtin \(chosen: (this machine|no user systemd)/);
  const installed = await rig.fleet("install");
  expect([installed.code, installed.out]).toEqual([0, expect.stringContaining("nothing to install")]);
});

test("an agent that starts another hands on what the person had, and nothing of its own", async () => {
  const rig = makeRig();
  rig.env["TZ"] = "Asia/Tokyo";
  const other = `{ name: co, role: worker, runtime: command, command: [sh, -c, "env >${rig.root}/co.env; exec sleep 1000"], workdir: ~/work }`;
  const lead = `{ name: mos, role: orchestrator, runtime: command, command: [sh, -c, "mosaic fleet start co; exec sleep 1000"], workdir: ~/work, env: { TZ: Etc/GMT+5, CODEX_HOME: /mine } }`;
  rig.roster(rosterOf(lead, other));
  await rig.fleet("start", "mos");
  await rig.settled("co", (agent) => agent.state === "running");
  const seen = await until(
    () => (existsSync(join(rig.root, "co.env")) ? readFileSync(join(rig.root, "co.env"), "utf8") : undefined),
    { withinMs: 5_000 },
  );
  expect(seen).toContain("TZ=Asia/Tokyo\n");
  expect(seen).not.toContain("CODEX_HOME");
});

test("a program that cannot beat gets a true beat from the daemon, and none that outlives it", async () => {
  const rig = makeRig();
  rig.env["MOSAIC_HEARTBEAT_INTERVAL"] = "0.2";
  rig.roster(rosterOf(mos));
  await rig.fleet("start");
  const agent = await rig.settled("mos", (one) => one.heartbeat.health === "healthy");
  expect(agent.heartbeat).toMatchObject({ pid: agent.pid, interval_ms: 200 });
  expect(readFileSync(join(rig.home.run, "mos.hb"), "utf8")).toMatch(
    /^ts=.*\npid=\d+\nstatus=ok\ninterval=0.2\nstate=running\n$/,
  );
  process.kill(agent.pid ?? 0, "SIGSTOP");
  const frozen = await rig.settled("mos", (one) => one.state === "unknown");
  expect(frozen.heartbeat.health).toBe("stale");
  process.kill(agent.pid ?? 0, "SIGCONT");
  await rig.settled("mos", (one) => one.state === "running" && one.heartbeat.health === "healthy");
});

test("ps --watch prints again at a change, and ends at Ctrl-C with 0", async () => {
  const rig = makeRig();
  rig.roster(rosterOf(mos));
  await rig.fleet("start");
  const { spawn } = await import("node:child_process");
  const { bin } = await import("../rig.ts");
  const watch = spawn(process.execPath, [bin, "fleet", "ps", "--watch", "--json"], { env: rig.env });
  const states: string[] = [];
  watch.stdout
    .setEncoding("utf8")
    .on("data", (part: string) =>
      states.push(...[...part.matchAll(/"state":"(\w+)"/g)].map(([, state]) => state ?? "")),
    );
  await comes(() => (states.includes("running") ? true : undefined), { withinMs: 10_000 });
  await rig.fleet("stop");
  await comes(() => (states.includes("stopped") ? true : undefined), { withinMs: 10_000 });
  const closed = new Promise<number | null>((resolve) => watch.on("close", resolve));
  watch.kill("SIGINT");
  expect(await closed).toBe(0);
});

test("the environment of an agent holds what it needs and nothing of the caller's secrets", async () => {
  const rig = makeRig();
  Object.assign(rig.env, {
    ANTHROPIC_API_KEY: "canary-key",
    SSH_AUTH_SOCK: "/canary",
    CLAUDECODE: "1",
    DISCORD_TOKEN: "canary-token",
  });
  rig.roster(rosterOf(mos));
  await rig.fleet("start");
  const { pid } = await rig.agent("mos");
  const environ = readFileSync(`/proc/${pid}/environ`, "utf8");
  expect(environ).not.toContain("canary");
  expect(environ).not.toContain("CLAUDECODE");
  for (const key of [
    "HOME",
    "PATH",
    "MOSAIC_HOME",
    "MOSAIC_AGENT=mos",
    "MOSAIC_AGENT_TOKEN=mft_",
    "MOSAIC_HEARTBEAT_RUN_DIR",
    "MOSAIC_HEARTBEAT_INTERVAL=15",
  ]) {
    expect(environ).toContain(key);
  }
  const token = /MOSAIC_AGENT_TOKEN=([^\0]+)/.exec(environ)?.[1] ?? "none";
  for (const entry of readdirSync("/proc").filter((name) => /^\d+$/.test(name))) {
    const line = existsSync(`/proc/${entry}/cmdline`)
      ? safely(() => readFileSync(`/proc/${entry}/cmdline`, "utf8"))
      : "";
    expect(line).not.toContain(token);
  }
  expect(
    `${(await rig.fleet("logs")).out}${(await rig.fleet("ps", "--json")).out}${(await rig.fleet("status", "mos")).out}`,
  ).not.toContain(token);
});

test("inside an agent the verbs act in its name: a worker may send and look, a forged token may nothing", async () => {
  const rig = makeRig();
  rig.roster(rosterOf(mos, worker("co")));
  await rig.fleet("start");
  const { pid } = await rig.agent("co");
  const token = /MOSAIC_AGENT_TOKEN=([^\0]+)/.exec(readFileSync(`/proc/${pid}/environ`, "utf8"))?.[1] ?? "";
  const as = (name: string, given: string, ...args: string[]) =>
    rig.mosaic(["fleet", ...args], { env: { MOSAIC_AGENT: name, MOSAIC_AGENT_TOKEN: given } });
  expect((await as("co", token, "ps")).code).toBe(0);
  expect((await as("co", token, "send", "mos", "hello")).code).toBe(0);
  expect((await as("co", token, "stop", "mos")).code).toBe(4);
  expect((await as("mos", token, "stop", "co")).err).toContain("its token is not the one this fleet gave it");
  expect((await as("co", "", "send", "mos", "x")).code).toBe(4);
  expect((await as("co", token, "init", "--yes")).code).toBe(4);
  expect((await rig.ps()).map((agent) => agent.state)).toEqual(["running", "running"]);
});

function safely(read: () => string): string {
  try {
    return read();
  } catch {
    return "";
  }
}
