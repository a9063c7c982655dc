import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { describe, expect, onTestFinished, test } from "vitest";

import { agentPlace, layHome, type Home } from "../contract/home.ts";
import { isLiving, markedProcesses, processOf } from "../lib/proc.ts";
import { until } from "../lib/wait.ts";
import { launchScript } from "./launch-script.ts";
import type { Supervisor, Units } from "./supervisor.ts";

/** A supervisor under test, with whatever keeps it working in the background and a way to kill that. */
export interface Rig {
  supervisor: Supervisor;
  units: Units;
  /** Kills the supervising process as kill -9 would, and brings another up. */
  loseDaemon(): void;
}

/** What every supervisor promises. `builtin` and systemd run the same cases on real tmux. */
export function supervisorSuite(kind: string, rigOf: (home: Home) => Rig): void {
  const path = process.env["PATH"] ?? "";

  function setUp() {
    const root = mkdtempSync(join(tmpdir(), "mosaic-sup-"));
    // systemd looks for units in the real home only.
    const configHome = join(process.env["HOME"] ?? root, ".config");
    const home = layHome({ mosaicHome: root, userHome: root, runDir: undefined, uid: 0, configHome });
    const rig = rigOf(home);
    const { supervisor, units } = rig;
    const names = new Set<string>();
    onTestFinished(async () => {
      for (const name of names) await supervisor.stop(name, { ask: async () => {}, graceMs: 0 });
      rmSync(root, { recursive: true, force: true });
    });
    const install = async (name: string, shell: string, restart: "always" | "on-failure" | "never" = "always") => {
      names.add(name);
      const script = launchScript(agentPlace(home, name), {
        argv: ["/bin/sh", "-c", shell],
        cwd: "/",
        env: { PATH: path, MOSAIC_AGENT: name, MOSAIC_HOME: home.root },
      });
      await units.install({ name, script, cwd: "/", restart });
    };
    const view = (name: string) => {
      const found = units.observe([name]).get(name);
      if (found === undefined) throw new Error("a unit that was asked for is always observed");
      return found;
    };
    /** Its pid, once that is another than before. One look: between two it may end. */
    const another = (name: string, before: number | undefined) => {
      const { pid } = view(name);
      return pid === before ? undefined : pid;
    };
    const settled = <T>(ask: () => T | undefined) => until(ask, { withinMs: 20_000 });
    const stop = (name: string, ask = async () => {}, graceMs = 0) => supervisor.stop(name, { ask, graceMs });
    return { root, home, supervisor, units, rig, install, view, another, settled, stop };
  }

  describe(`${kind} supervisor`, () => {
    test("what was never started is never, and stopping it is no error", async () => {
      const { view, stop, install } = setUp();
      expect(view("co")).toMatchObject({ wanted: "never", process: "none", restarts: 0 });
      await install("co", "sleep 1000");
      expect(await stop("co")).toBe("already");
    });

    test("start answers when the process lives; a second start changes nothing", async () => {
      const { supervisor, view, install } = setUp();
      await install("co", "sleep 1000");
      expect(await supervisor.start("co")).toBe("started");
      const first = view("co");
      expect(first).toMatchObject({ wanted: "up", process: "alive" });
      expect(await supervisor.start("co")).toBe("already");
      expect(view("co").pid).toBe(first.pid);
    });

    test("two starts at once make one process", async () => {
      const { supervisor, units, home, install } = setUp();
      await install("co", "sleep 1000");
      await Promise.all([supervisor.start("co"), supervisor.start("co"), supervisor.start("co")]);
      const marked = markedProcesses(["MOSAIC_AGENT=co", `MOSAIC_HOME=${home.root}`]);
      const run = units.observe(["co"]).get("co");
      // the agent, and the wrapper that waits for it
      expect(marked.filter((pid) => pid === run?.pid || processOf(pid)?.parent === run?.pid).length).toBeGreaterThan(0);
      expect(marked.length).toBeLessThanOrEqual(3);
    });

    test("a crash is noticed, the exit code is the agent's own, and it runs again", async () => {
      const { supervisor, root, view, settled, install, home } = setUp();
      await install("co", `test -f ${root}/again && exec sleep 1000; touch ${root}/again; echo last words; exit 7`);
      await supervisor.start("co");
      expect(
        await settled(() => (view("co").restarts === 1 && view("co").process === "alive" ? true : undefined)),
      ).toBe(true);
      expect(readFileSync(agentPlace(home, "co").screen, "utf8")).toContain("last words");
    });

    test("killing one agent's terminal server takes that agent only, and brings it back", async () => {
      const { supervisor, view, another, settled, install, home } = setUp();
      await install("co", "exec sleep 1000");
      await install("co-1", "exec sleep 1000");
      await supervisor.start("co");
      await supervisor.start("co-1");
      const [first, other] = [view("co").pid, view("co-1").pid];
      const server = Number(/server=(\d+)/.exec(readFileSync(agentPlace(home, "co").pid, "utf8"))?.[1]);
      process.kill(server, "SIGKILL");
      const again = await settled(() => another("co", first));
      expect(again).toBeTypeOf("number");
      expect(view("co-1").pid).toBe(other);
      expect(view("co-1").restarts).toBe(0);
    });

    test("stop asks first, waits, records the agent's own code, and it stays stopped", async () => {
      const { supervisor, root, view, stop, install } = setUp();
      const save = `trap 'sleep 0.3; echo saved >${root}/saved; exit 3' TERM; : >${root}/ready; while :; do sleep 0.05; done`;
      await install("co", save);
      await supervisor.start("co");
      const { pid } = view("co");
      await until(() => existsSync(join(root, "ready")) || undefined, { withinMs: 5_000 });
      const asked = await stop("co", async () => void process.kill(pid ?? 0, "SIGTERM"), 10_000);
      expect(asked).toBe("stopped");
      expect(readFileSync(join(root, "saved"), "utf8")).toBe("saved\n");
      expect(view("co")).toMatchObject({ wanted: "down", process: "none", exit: { code: 3 } });
    });

    test("an agent that does not listen is ended, and nothing of it is left, not even what it put aside", async () => {
      const { supervisor, root, home, stop, install, settled } = setUp();
      await install("co", `trap '' TERM HUP INT; setsid sleep 1000 & : >${root}/ready; while :; do sleep 1; done`);
      await supervisor.start("co");
      const marks = ["MOSAIC_AGENT=co", `MOSAIC_HOME=${home.root}`];
      await settled(() => existsSync(join(root, "ready")) || undefined);
      await stop("co", async () => {}, 50);
      expect(markedProcesses(marks)).toEqual([]);
    });

    test("an agent that keeps crashing is held with its last screen, until it is started again", async () => {
      const { supervisor, root, view, settled, install, home } = setUp();
      await install("co", `echo run >>${root}/runs; echo I cannot; exit 9`);
      await supervisor.start("co");
      const held = await settled(() => view("co").quarantined);
      expect(held?.why).toContain("exit code 9");
      expect(readFileSync(agentPlace(home, "co").screen, "utf8")).toContain("I cannot");
      expect(readFileSync(join(root, "runs"), "utf8").split("\n")).toHaveLength(6);
      await install("co", "exec sleep 1000");
      await supervisor.start("co");
      expect(view("co")).toMatchObject({ process: "alive", quarantined: undefined });
    });

    test("restart rules: on-failure leaves what ended well, never leaves all", async () => {
      const { supervisor, root, view, settled, install } = setUp();
      await install("well", `echo x >>${root}/well; exit 0`, "on-failure");
      await install("bad", `echo x >>${root}/bad; exit 1`, "never");
      await install("again", `test -f ${root}/again && exec sleep 1000; touch ${root}/again; exit 0`, "always");
      for (const name of ["well", "bad", "again"]) await supervisor.start(name);
      // By the time `again` is back, the other two had the same chance.
      await settled(() => (view("again").restarts === 1 ? true : undefined));
      expect(readFileSync(join(root, "well"), "utf8")).toBe("x\n");
      expect(readFileSync(join(root, "bad"), "utf8")).toBe("x\n");
    });

    test("agents outlive the supervising process, and the next one adopts them and restarts what fell meanwhile", async () => {
      const { supervisor, rig, view, another, settled, install } = setUp();
      await install("co", "exec sleep 1000");
      await install("mo", "exec sleep 1000");
      await supervisor.start("co");
      await supervisor.start("mo");
      const [co, mo] = [view("co"), view("mo")];
      process.kill(mo.pid ?? 0, "SIGKILL");
      rig.loseDaemon();
      await settled(() => another("mo", mo.pid));
      expect(view("co")).toMatchObject({ pid: co.pid, restarts: 0 });
    });

    test("a frozen agent is thawed to save, and its own exit code is kept", async () => {
      const { supervisor, root, view, stop, install, settled } = setUp();
      await install("co", `trap 'exit 3' TERM; : >${root}/ready; while :; do sleep 0.05; done`);
      await supervisor.start("co");
      await settled(() => existsSync(join(root, "ready")) || undefined);
      const pid = view("co").pid ?? 0;
      process.kill(pid, "SIGSTOP");
      await settled(() => (view("co").process === "frozen" ? true : undefined));
      await stop("co", async () => void process.kill(pid, "SIGTERM"), 5_000);
      expect(view("co").exit?.code).toBe(3);
    });

    test("the first restart is at once, the second waits", async () => {
      const { supervisor, root, install, settled } = setUp();
      await install("co", `date +%s%3N >>${root}/runs; test $(wc -l <${root}/runs) -ge 3 && exec sleep 1000; exit 1`);
      await supervisor.start("co");
      const runs = () => readFileSync(join(root, "runs"), "utf8").trim().split("\n").map(Number);
      await settled(() => (existsSync(join(root, "runs")) && runs().length === 3 ? true : undefined));
      const [first = 0, second = 0, third = 0] = runs();
      expect(second - first).toBeLessThan(1_000);
      expect(third - second).toBeGreaterThanOrEqual(1_000);
    });

    test("an agent that is started again by a person has its crashes forgiven", async () => {
      const { supervisor, root, view, settled, install } = setUp();
      await install("co", "exit 9");
      await supervisor.start("co");
      await settled(() => view("co").quarantined);
      await install("co", `test -f ${root}/again && exec sleep 1000; touch ${root}/again; exit 7`);
      await supervisor.start("co");
      expect(
        await settled(() => (view("co").restarts === 1 && view("co").process === "alive" ? true : undefined)),
      ).toBe(true);
    });

    test("an agent that outlives its terminal is ended and comes back with one", async () => {
      const { supervisor, root, home, view, another, settled, install } = setUp();
      await install("co", `trap '' HUP; : >${root}/ready; while :; do sleep 0.1; done`);
      await supervisor.start("co");
      await settled(() => existsSync(join(root, "ready")) || undefined);
      const { pid } = view("co");
      process.kill(Number(/server=(\d+)/.exec(readFileSync(agentPlace(home, "co").pid, "utf8"))?.[1]), "SIGKILL");
      const again = await settled(() => another("co", pid));
      expect(again).toBeTypeOf("number");
    });

    test("Ctrl-C in its terminal ends the agent, not its wrapper: the exit code is kept", async () => {
      const { supervisor, root, home, view, settled, install } = setUp();
      await install("co", `trap 'exit 5' INT; : >${root}/ready; while :; do sleep 0.05; done`, "never");
      await supervisor.start("co");
      await settled(() => existsSync(join(root, "ready")) || undefined);
      spawnSync("tmux", ["-S", agentPlace(home, "co").terminal, "send-keys", "-t", "=co:", "C-c"]);
      await settled(() => (view("co").process === "none" ? true : undefined));
      expect((await settled(() => view("co").exit))?.code).toBe(5);
    });

    test("the exit code of an earlier run is not this one's", async () => {
      const { supervisor, root, home, view, settled, stop, install } = setUp();
      await install("co", `test -f ${root}/again && exec sleep 1000; touch ${root}/again; exit 3`, "never");
      await supervisor.start("co");
      expect((await settled(() => view("co").exit))?.code).toBe(3);
      await supervisor.start("co");
      const wrapper = Number(/wrapper=(\d+)/.exec(readFileSync(agentPlace(home, "co").pid, "utf8"))?.[1]);
      process.kill(wrapper, "SIGKILL");
      await stop("co");
      expect(view("co").exit).toBeUndefined();
    });

    test("a work folder that went away ends the launch with 78, and runs nothing elsewhere", async () => {
      const { supervisor, units, root, home, view, settled } = setUp();
      const script = launchScript(agentPlace(home, "co"), {
        argv: ["/bin/sh", "-c", `touch ${root}/ran`],
        cwd: `${root}/gone`,
        env: { PATH: path, MOSAIC_AGENT: "co", MOSAIC_HOME: home.root },
      });
      await units.install({ name: "co", script, cwd: "/", restart: "never" });
      await expect(supervisor.start("co")).rejects.toThrow("exit code 78");
      expect(existsSync(join(root, "ran"))).toBe(false);
      await settled(() => (view("co").process === "none" ? true : undefined));
      await supervisor.stop("co", { ask: async () => {}, graceMs: 0 });
    });

    test("one agent's broken record is said to be one, and takes supervision from nobody else", async () => {
      const { supervisor, home, view, another, settled, install, stop } = setUp();
      for (const broken of ["{", '{"want":"up"}']) {
        await install("aa", "exec sleep 1000");
        await install("zz", "exec sleep 1000");
        await supervisor.start("zz");
        const before = view("zz");
        writeFileSync(agentPlace(home, "aa").unit, broken);
        expect(view("aa").readable).toBe(false);
        process.kill(before.pid ?? 0, "SIGKILL");
        await settled(() => another("zz", before.pid));
        expect(view("zz").process).toBe("alive");
        // Whatever its record says, a person can stop it and start it again.
        expect(await stop("aa")).toBe("already");
        await install("aa", "exec sleep 1000");
        expect(await supervisor.start("aa")).toBe("started");
        await stop("aa");
        await stop("zz");
      }
    });

    test("an agent whose pid record is lost is never two, and is not taken for one that keeps crashing", async () => {
      const { supervisor, home, view, settled, install } = setUp();
      await install("co", "trap '' HUP TERM; while :; do sleep 0.1; done");
      await supervisor.start("co");
      const { pid } = view("co");
      rmSync(agentPlace(home, "co").pid);
      const again = await settled(() => (view("co").process === "alive" ? view("co") : undefined));
      expect(again).toMatchObject({ wanted: "up", quarantined: undefined });
      // Known again, or replaced: in no case is there another one beside it.
      const marked = markedProcesses(["MOSAIC_AGENT=co", `MOSAIC_HOME=${home.root}`]);
      expect(marked.includes(pid ?? 0)).toBe(again?.pid === pid);
      expect(marked).toContain(again?.pid);
    });

    test("a frozen agent is neither alive nor dead, and can be stopped", async () => {
      const { supervisor, view, settled, stop, install } = setUp();
      await install("co", "exec sleep 1000");
      await supervisor.start("co");
      const pid = view("co").pid ?? 0;
      process.kill(pid, "SIGSTOP");
      expect(await settled(() => (view("co").process === "frozen" ? true : undefined))).toBe(true);
      await stop("co", async () => {}, 10);
      expect(isLiving({ pid, started: processOf(pid)?.started ?? "" })).toBe(false);
    });
  });
}
