import { spawn, spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";

import { expect, onTestFinished, test } from "vitest";

import { processOf } from "../../src/lib/proc.ts";
import { until } from "../../src/lib/wait.ts";
import { unitNames } from "../../src/supervisor/systemd/names.ts";
import { comes } from "../comes.ts";
import { bin, rosterOf, type Rig } from "../rig.ts";
import { makeFleet, units } from "./rig.ts";

const systemctl = (...args: string[]) => spawnSync("systemctl", ["--user", ...args], { encoding: "utf8" });
const agentOf = (name: string, shell = "exec sleep 1000") =>
  `{ name: ${name}, role: ${name === "mos" ? "orchestrator" : "worker"}, runtime: command, command: [sh, -c, ${JSON.stringify(shell)}], workdir: ~/work }`;
const unitOf = (rig: Rig, name: string) => unitNames(rig.home).agent(name);
const daemonOf = (rig: Rig) => unitNames(rig.home).daemon;
/** Waits for another process of the agent than that one. */
const another = (rig: Rig, name: string, pid: number | null) =>
  rig.settled(name, (agent) => agent.state === "running" && agent.pid !== pid);

test("systemd's own death: its next start finds agents that live on, ends them, and never makes two of one", async () => {
  const rig = makeFleet();
  const shell = `echo $$ >>${rig.root}/runs; exec sleep 1000`;
  rig.roster(rosterOf(agentOf("mos", shell)));
  await rig.fleet("start");
  const { pid } = await rig.agent("mos");
  // An agent's terminal server is a child of the user's systemd.
  const server = Number(/server=(\d+)/.exec(readFileSync(rig.place("mos").pid, "utf8"))?.[1]);
  process.kill(processOf(server)?.parent ?? 0, "SIGKILL");
  const back = await another(rig, "mos", pid);
  expect(back).toMatchObject({ restarts: 0 }); // it did not end by itself
  const runs = readFileSync(join(rig.root, "runs"), "utf8").trim().split("\n").map(Number);
  expect(runs.filter((one) => (processOf(one)?.state ?? "zombie") !== "zombie")).toEqual([back.pid]);
  expect(systemctl("is-active", unitOf(rig, "mos")).stdout).toBe("active\n");
});

test("a daemon that somebody called by hand keeps its place, and systemd's comes up when it has gone", async () => {
  const rig = makeFleet();
  rig.roster(rosterOf(agentOf("mos")));
  await rig.fleet("start");
  systemctl("stop", daemonOf(rig));
  const byHand = spawn(process.execPath, [bin, "fleet", "serve"], { env: rig.env, stdio: "ignore" });
  const ended = new Promise((resolve) => byHand.on("close", resolve));
  await comes(() => (rig.daemonPid() === byHand.pid ? true : undefined), { withinMs: 10_000 });
  for (let round = 0; round < 12; round++) systemctl("restart", daemonOf(rig));
  byHand.kill("SIGTERM");
  await ended;
  await comes(() => (rig.daemonPid() === undefined ? undefined : true), { withinMs: 15_000 });
  expect(systemctl("show", "-p", "MainPID", "--value", daemonOf(rig)).stdout).toBe(`${rig.daemonPid()}\n`);
});

test("units that were edited, or are of another installation, are mended by start, and the daemon follows", async () => {
  const rig = makeFleet();
  rig.roster(rosterOf(agentOf("mos")));
  await rig.fleet("start");
  const template = join(units, unitOf(rig, "mos").replace("@mos", "@"));
  const daemon = join(units, daemonOf(rig));
  const [was, { pid }, daemonPid] = [readFileSync(template, "utf8"), await rig.agent("mos"), rig.daemonPid()];
  for (const file of [template, daemon])
    writeFileSync(file, readFileSync(file, "utf8").replaceAll(process.execPath, "/opt/gone/node"));
  expect((await rig.fleet("start")).out).toContain("runs already");
  expect(readFileSync(template, "utf8")).toBe(was);
  expect(await rig.agent("mos")).toMatchObject({ pid });
  expect(rig.daemonPid()).not.toBe(daemonPid);
  expect(systemctl("show", "-p", "NeedDaemonReload", "--value", unitOf(rig, "mos")).stdout).toBe("no\n");
});

test("where mosaic is gone, a crashed agent is started as it was launched last; one that systemd gave up, by the next start", async () => {
  const rig = makeFleet();
  rig.roster(rosterOf(agentOf("mos", `test -f ${rig.root}/broken && exit 1; exec sleep 1000`)));
  await rig.fleet("start");
  const { pid } = await rig.agent("mos");
  const template = join(units, unitOf(rig, "mos").replace("@mos", "@"));
  writeFileSync(template, readFileSync(template, "utf8").replaceAll(process.execPath, "/opt/gone/node"));
  systemctl("daemon-reload");
  process.kill(pid ?? 0, "SIGKILL");
  const next = await another(rig, "mos", pid);
  writeFileSync(join(rig.root, "broken"), "");
  process.kill(next.pid ?? 0, "SIGKILL");
  const isGivenUp = () => (systemctl("is-failed", unitOf(rig, "mos")).stdout === "failed\n" ? true : undefined);
  expect(await until(isGivenUp, { withinMs: 20_000, everyMs: 100 })).toBe(true);
  rmSync(join(rig.root, "broken"));
  expect((await rig.fleet("start")).code).toBe(0);
});

test("a runtime folder that is another user's is not believed: the fleet stays where it is", async () => {
  const rig = makeFleet();
  rig.roster(rosterOf(agentOf("mos")));
  await rig.fleet("start");
  for (const foreign of ["/run/user/0", "/nowhere", ""]) {
    rig.env["XDG_RUNTIME_DIR"] = foreign;
    expect((await rig.fleet("status")).out).toContain("it is here, and you linger");
    expect((await rig.agent("mos")).drift).toEqual([]);
  }
});

test("uninstall leaves a person's own additions, and refuses while an agent waits for its next try", async () => {
  const rig = makeFleet();
  rig.roster(rosterOf(agentOf("mos"), agentOf("co", "exit 3")));
  await rig.fleet("start");
  const own = join(units, `${unitOf(rig, "mos")}.d`, "override.conf");
  mkdirSync(join(own, ".."), { recursive: true });
  onTestFinished(() => rmSync(join(own, ".."), { recursive: true, force: true }));
  writeFileSync(own, "[Service]\nNice=5\n");
  await rig.fleet("stop", "mos");
  await rig.settled("co", (agent) => agent.restarts >= 2 && agent.state === "dead");
  expect((await rig.fleet("uninstall")).err).toContain("systemd keeps co");
  systemctl("stop", unitOf(rig, "co")); // while it waits: a failure for systemd, and would be for doctor
  await rig.fleet("stop", "co");
  expect(systemctl("is-failed", unitOf(rig, "co")).stdout).toBe("inactive\n");
  expect((await rig.fleet("uninstall")).code).toBe(0);
  expect(systemctl("is-active", daemonOf(rig)).stdout).toBe("inactive\n");
  expect(existsSync(own)).toBe(true);
});

test("a start that was killed before systemd heard of it is taken up by the daemon", async () => {
  const rig = makeFleet();
  rig.env["MOSAIC_HEARTBEAT_INTERVAL"] = "1";
  rig.roster(rosterOf(agentOf("mos")));
  await rig.fleet("start");
  await rig.fleet("stop", "mos");
  const record = JSON.parse(readFileSync(rig.place("mos").unit, "utf8"));
  writeFileSync(
    rig.place("mos").unit,
    JSON.stringify({ ...record, want: "up", asked: true, launchedAt: Date.now() - 20_000 }),
  );
  await rig.settled("mos", (agent) => agent.state === "running");
});

test("a fleet that leaves systemd while its daemon is down leaves no unit of the daemon behind it", async () => {
  const rig = makeFleet();
  rig.roster(`${rosterOf(agentOf("mos"))}supervisor: systemd\n`);
  await rig.fleet("start");
  systemctl("stop", daemonOf(rig));
  await rig.fleet("init", "--supervisor", "builtin", "--yes");
  expect((await rig.fleet("apply")).code).toBe(0);
  expect(readdirSync(join(units, "default.target.wants")).filter((file) => file.startsWith("mosaic"))).toEqual([]);
  expect(readFileSync(`/proc/${rig.daemonPid()}/cgroup`, "utf8")).not.toContain(daemonOf(rig));
});

test("an agent that puts something aside at once comes back after a crash, however busy systemd was", async () => {
  const rig = makeFleet();
  rig.roster(rosterOf(agentOf("mos", "(setsid sleep 1000 &); exec sleep 999")));
  const busy = spawn("sh", ["-c", "while :; do systemctl --user daemon-reload; done"], { stdio: "ignore" });
  onTestFinished(() => void busy.kill());
  for (let round = 0; round < 3; round++) {
    expect((await rig.fleet("restart")).code).toBe(0);
    const server = /server=(\d+)/.exec(readFileSync(rig.place("mos").pid, "utf8"))?.[1];
    expect(systemctl("show", "-p", "MainPID", "--value", unitOf(rig, "mos")).stdout).toBe(`${server}\n`);
  }
  busy.kill();
  const { pid } = await rig.agent("mos");
  process.kill(pid ?? 0, "SIGKILL");
  await another(rig, "mos", pid);
});

test("two homes of one user, names with dashes: each has its own units, and one's uninstall leaves the other's", async () => {
  const [one, two] = [makeFleet(), makeFleet()];
  two.env["HOME"] = homedir(); // so its home is another than this user's own
  mkdirSync(join(homedir(), "work"), { recursive: true });
  for (const rig of [one, two]) {
    rig.roster(rosterOf(agentOf("mos"), agentOf("co-1-x")));
    expect((await rig.fleet("start")).code).toBe(0);
  }
  const { pid } = await two.agent("co-1-x");
  await one.fleet("stop");
  expect((await one.fleet("uninstall")).code).toBe(0);
  process.kill(pid ?? 0, "SIGKILL");
  await another(two, "co-1-x", pid);
});

test("by hand: systemctl restart brings it back without a crash, stop is told, start of a stopped one is held", async () => {
  const rig = makeFleet();
  rig.roster(rosterOf(agentOf("mos")));
  await rig.fleet("start");
  const { pid } = await rig.agent("mos");
  systemctl("restart", unitOf(rig, "mos"));
  expect(await another(rig, "mos", pid)).toMatchObject({ restarts: 0 });
  systemctl("stop", unitOf(rig, "mos"));
  expect(await rig.agent("mos")).toMatchObject({ state: "dead" });
  expect((await rig.fleet("apply")).out).toContain("started");
  await rig.fleet("stop");
  systemctl("start", unitOf(rig, "mos"));
  expect(await rig.agent("mos")).toMatchObject({ state: "stopped", pid: null });
  await rig.fleet("init", "--supervisor", "builtin", "--yes");
  await rig.fleet("start");
  const kept = await rig.agent("mos");
  systemctl("start", unitOf(rig, "mos")); // of one that somebody else keeps, too
  expect(await rig.agent("mos")).toMatchObject({ state: "running", pid: kept.pid, restarts: 0 });
});

test("a roster that is broken at a crash: the agent comes back as it was launched last", async () => {
  const rig = makeFleet();
  const text = rosterOf(agentOf("mos"));
  rig.roster(text);
  await rig.fleet("start");
  const { pid } = await rig.agent("mos");
  rig.roster("agents: [");
  process.kill(pid ?? 0, "SIGKILL");
  await comes(
    () => (/pid=(\d+)/.exec(readFileSync(rig.place("mos").pid, "utf8"))?.[1] !== String(pid) ? true : undefined),
    {
      withinMs: 10_000,
    },
  );
  rig.roster(text);
  await another(rig, "mos", pid);
});
