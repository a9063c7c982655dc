import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { userInfo } from "node:os";
import { join } from "node:path";

import { expect, onTestFinished, test } from "vitest";

import { layHome } from "../../src/contract/home.ts";
import { processOf } from "../../src/lib/proc.ts";
import { until } from "../../src/lib/wait.ts";
import { comes } from "../comes.ts";
import { rosterOf, type Rig } from "../rig.ts";
import { makeFleet, units } from "./rig.ts";

const systemctl = (...args: string[]) => spawnSync("systemctl", ["--user", ...args], { encoding: "utf8" });

const agentOf = (name: string, shell: string, more = "") =>
  `{ name: ${name}, role: ${name === "mos" ? "orchestrator" : "worker"}, runtime: command, command: [sh, -c, ${JSON.stringify(shell)}], workdir: ~/work${more} }`;
const sleeps = "exec sleep 1000";
const serverOf = (rig: Rig, name: string) =>
  Number(/server=(\d+)/.exec(readFileSync(rig.place(name).pid, "utf8"))?.[1]);

test("auto takes systemd where the user lingers, says so, and 20 agents lose one server: one restart, nobody else", async () => {
  const rig = makeFleet();
  const names = ["mos", ...Array.from({ length: 19 }, (_, at) => `co-${at}`)];
  rig.roster(rosterOf(...names.map((name) => agentOf(name, sleeps))));
  const started = await rig.fleet("start");
  expect([started.code, started.err]).toEqual([0, "Next: mosaic fleet ps\n"]);
  expect((await rig.fleet("status")).out).toMatch(
    /supervisor\s+systemd \(chosen: it is here, and you linger\), daemon up/,
  );
  const before = await rig.ps();
  expect(before.map((agent) => agent.state)).toEqual(names.map(() => "running"));
  process.kill(serverOf(rig, "co-7"), "SIGKILL");
  await rig.settled("co-7", (agent) => agent.state === "running" && agent.restarts === 1);
  const after = await rig.ps();
  const moved = after.filter((agent, at) => agent.pid !== before[at]?.pid);
  expect(moved.map((agent) => agent.name)).toEqual(["co-7"]);
  expect(after.filter((agent) => agent.restarts > 0).map((agent) => agent.name)).toEqual(["co-7"]);
  // Each in a cgroup of its own, below one slice.
  const groups = names.map((name) => readFileSync(`/proc/${serverOf(rig, name)}/cgroup`, "utf8").trim());
  expect(new Set(groups).size).toBe(20);
  expect(groups[0]).toMatch(/mosaic\.slice\/mosaic.*@mos\.service$/);
  expect((await rig.fleet("verify")).code).toBe(0);
});

test("the units are what systemd understands, and a person can put a strange home into them", async () => {
  const outer = makeFleet();
  const odd = join(outer.root, `50% of "a" home; $HOME 'x' \\ ü`);
  mkdirSync(join(odd, "fleet"), { recursive: true });
  outer.env["MOSAIC_HOME"] = odd;
  const { sockets } = layHome({ mosaicHome: odd, userHome: outer.root, runDir: undefined, uid: userInfo().uid });
  onTestFinished(() => rmSync(sockets, { recursive: true, force: true })); // not in the home: its path is long
  writeFileSync(
    join(odd, "fleet", "roster.yaml"),
    rosterOf(agentOf("mos", sleeps, ", limits: { memory: 1G, tasks: 64 }")),
  );
  const installed = await outer.fleet("install");
  expect([installed.code, installed.err]).toEqual([0, "Next: mosaic fleet start\n"]);
  expect(installed.out).toContain("systemd understands the units");
  expect((await outer.fleet("start")).code).toBe(0);
  expect((await outer.fleet("ps")).out).toContain("running");
  const unit = readdirSync(join(units, "default.target.wants")).find((file) => file.includes("@mos")) ?? "";
  expect(systemctl("show", "-p", "MemoryMax,TasksMax", unit).stdout).toBe("MemoryMax=1073741824\nTasksMax=64\n");
  expect((await outer.fleet("uninstall")).code).toBe(4); // it runs
  expect((await outer.fleet("stop")).code).toBe(0);
  expect((await outer.fleet("uninstall")).code).toBe(0);
  expect(readdirSync(units).filter((file) => file.startsWith("mosaic"))).toEqual([]);
  expect(existsSync(join(odd, "fleet", "roster.yaml"))).toBe(true);
});

test("stop lets the agent save, says its own code, and leaves no process, socket or unit at boot", async () => {
  const rig = makeFleet();
  const save = `trap 'sleep 0.3; echo saved >${rig.root}/saved; exit 3' TERM; : >${rig.root}/ready; while :; do sleep 0.05; done`;
  rig.roster(rosterOf(agentOf("mos", save)));
  await rig.fleet("start");
  await comes(() => existsSync(join(rig.root, "ready")) || undefined, { withinMs: 5_000 });
  const stopped = await rig.fleet("stop");
  expect([stopped.code, stopped.out]).toEqual([0, expect.stringContaining("exit code 3")]);
  expect(readFileSync(join(rig.root, "saved"), "utf8")).toBe("saved\n");
  expect(existsSync(rig.place("mos").terminal)).toBe(false);
  expect(readdirSync(join(units, "default.target.wants")).filter((file) => file.includes("@"))).toEqual([]);
});

test("a program that is not there is reported by start, and not swallowed", async () => {
  const rig = makeFleet();
  rig.roster(rosterOf(agentOf("mos", sleeps), agentOf("co", "exec /nowhere/at/all", ", restart: never")));
  const started = await rig.fleet("start");
  expect(started.code).toBe(5);
  expect(started.out).toMatch(/co\s+failed\s+it ended right after its start.*127/);
  expect(await rig.agent("mos")).toMatchObject({ state: "running" });
});

test("systemd's own stop, as at a shutdown, lets agents save; its next start brings the fleet back as it was", async () => {
  const rig = makeFleet();
  const save = (name: string) =>
    `trap 'echo saved >>${rig.root}/${name}; exit 0' TERM; : >${rig.root}/${name}.ready; while :; do sleep 0.05; done`;
  rig.roster(
    rosterOf(agentOf("mos", save("mos")), agentOf("co", save("co"), ", restart: on-failure"), agentOf("off", sleeps)),
  );
  await rig.fleet("start");
  await rig.fleet("stop", "off");
  for (const name of ["mos", "co"])
    await comes(() => existsSync(join(rig.root, `${name}.ready`)) || undefined, { withinMs: 5_000 });
  const before = await rig.ps();
  const daemon = rig.daemonPid();
  systemctl("exit");
  // The machine's first process (here: manager.sh) starts it again.
  const back = async (name: string) => {
    const was = before.find((agent) => agent.name === name);
    return until(
      async () => {
        const now = await rig.agent(name);
        return now.state === "running" && now.pid !== was?.pid ? now : undefined;
      },
      { withinMs: 30_000, everyMs: 100 },
    );
  };
  for (const name of ["mos", "co"]) {
    expect(await back(name)).toMatchObject({ restarts: 0 }); // no crash: nobody ended by himself
    expect(readFileSync(join(rig.root, name), "utf8")).toBe("saved\n");
  }
  expect(await rig.agent("off")).toMatchObject({ state: "stopped" });
  await comes(() => (rig.daemonPid() !== undefined && rig.daemonPid() !== daemon ? true : undefined), {
    withinMs: 10_000,
  });
  expect(processOf(rig.daemonPid() ?? 0)?.state).toBe("alive");
});

test("a running fleet moves from one supervisor to the other and back", async () => {
  const rig = makeFleet();
  rig.roster(`${rosterOf(agentOf("mos", sleeps))}supervisor: builtin\n`);
  await rig.fleet("start");
  expect((await rig.fleet("status")).out).toMatch(/supervisor\s+builtin/);
  for (const kind of ["systemd", "builtin", "systemd"]) {
    const { pid } = await rig.agent("mos");
    expect((await rig.fleet("init", "--supervisor", kind, "--yes")).code).toBe(0);
    expect((await rig.agent("mos")).drift).toEqual([`it is to move to ${kind}`]);
    expect((await rig.fleet("plan")).out).toContain(`it moves to ${kind}`);
    expect((await rig.fleet("apply")).code).toBe(0);
    const moved = await rig.agent("mos");
    expect(moved).toMatchObject({ state: "running", restarts: 0, drift: [] });
    expect(moved.pid).not.toBe(pid);
    const inUnit = readFileSync(`/proc/${moved.pid}/cgroup`, "utf8").includes("@mos.service");
    expect(inUnit).toBe(kind === "systemd");
    const group = readFileSync(`/proc/${rig.daemonPid()}/cgroup`, "utf8");
    expect(group.includes("/mosaic.service")).toBe(kind === "systemd");
    // Whoever keeps it brings it back, and only once.
    process.kill(moved.pid ?? 0, "SIGKILL");
    await rig.settled("mos", (agent) => agent.state === "running" && agent.restarts === 1);
  }
});

test("nothing of the person's environment, nor of systemd's, reaches an agent", async () => {
  const rig = makeFleet();
  systemctl("set-environment", "PLANTED_SECRET=canary");
  onTestFinished(() => void systemctl("unset-environment", "PLANTED_SECRET"));
  rig.roster(rosterOf(agentOf("mos", `env >${rig.root}/env; exec sleep 1000`)));
  await rig.fleet("start");
  const seen = await until(
    () => (existsSync(join(rig.root, "env")) ? readFileSync(join(rig.root, "env"), "utf8") : undefined),
    { withinMs: 5_000 },
  );
  expect(seen).toContain("MOSAIC_AGENT=mos");
  expect(seen).not.toContain("canary");
  expect(seen).not.toContain("INVOCATION_ID");
  expect(seen).not.toContain("DBUS");
});

test("a user who does not linger would lose the agents at logout: auto says so and does without systemd", async () => {
  const file = `/var/lib/systemd/linger/${userInfo().username}`;
  rmSync(file);
  onTestFinished(() => writeFileSync(file, ""));
  const rig = makeFleet();
  rig.roster(rosterOf(agentOf("mos", sleeps)));
  expect((await rig.fleet("start")).code).toBe(0);
  expect((await rig.fleet("status")).out).toContain(
    "builtin (chosen: systemd would end the agents at your last logout",
  );
  const { out } = await rig.fleet("doctor");
  expect(out).toContain("you do not linger");
  expect(out).toContain("Next: sudo loginctl enable-linger");
  // Asked for by name it is used all the same.
  expect((await rig.fleet("init", "--supervisor", "systemd", "--yes")).code).toBe(0);
  expect((await rig.fleet("apply")).out).toContain("restarted");
  expect(readFileSync(`/proc/${(await rig.agent("mos")).pid}/cgroup`, "utf8")).toContain("@mos.service");
});

test("doctor says how systemd stands, and linger", async () => {
  const rig = makeFleet();
  rig.roster(rosterOf(agentOf("mos", sleeps)));
  const { out } = await rig.fleet("doctor");
  expect(out).toContain("your systemd answers (running)");
  expect(out).toContain("you linger");
});
