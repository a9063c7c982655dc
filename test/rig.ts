import { spawn } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";

import { onTestFinished } from "vitest";
import { z } from "zod";

import { agentPlace, layHome, type AgentPlace, type Home } from "../src/contract/home.ts";
import { FleetState } from "../src/contract/state.ts";
import { until } from "../src/lib/wait.ts";

export const bin = resolve(import.meta.dirname, "..", "bin", "mosaic.js");

interface Ran {
  code: number;
  out: string;
  err: string;
}

/** A throw-away home and the mosaic that a user has: the built one, in a clean environment. */
export interface Rig {
  root: string;
  home: Home;
  env: Record<string, string>;
  place(agent: string): AgentPlace;
  mosaic(
    args: readonly string[],
    options?: { input?: string; env?: Record<string, string>; cwd?: string; openStdin?: boolean },
  ): Promise<Ran>;
  fleet(...args: string[]): Promise<Ran>;
  roster(text: string): void;
  rosterText(): string;
  /** `ps --json`, checked against the contract. */
  ps(): Promise<FleetState["agents"]>;
  agent(name: string): Promise<FleetState["agents"][number]>;
  /** Waits until an agent is as asked. */
  settled(name: string, is: (agent: FleetState["agents"][number]) => boolean): Promise<FleetState["agents"][number]>;
  daemonPid(): number | undefined;
  /** Sends, and where the message is held (a limit, a login) tries it all the same. */
  insist(name: string, text: string): Promise<void>;
}

export function makeRig(extra: { path?: string; root?: string } = {}): Rig {
  const root = extra.root ?? mkdtempSync(join(tmpdir(), "mosaic-cli-"));
  const env: Record<string, string> = {
    PATH: `${extra.path === undefined ? "" : `${extra.path}:`}${process.env["PATH"] ?? ""}`,
    HOME: root,
    TERM: "dumb",
    LANG: "C.UTF-8",
  };
  const home = layHome({ mosaicHome: undefined, userHome: root, runDir: undefined, uid: process.getuid?.() ?? 0 });
  mkdirSync(join(root, "work"), { recursive: true });
  const mosaic: Rig["mosaic"] = (args, options = {}) =>
    new Promise((done) => {
      const child = spawn(process.execPath, [bin, ...args], {
        env: { ...env, ...options.env },
        cwd: options.cwd ?? join(root, "work"),
      });
      let [out, err] = ["", ""];
      child.stdout.setEncoding("utf8").on("data", (part: string) => (out += part));
      child.stderr.setEncoding("utf8").on("data", (part: string) => (err += part));
      child.stdin.on("error", () => undefined);
      if (!options.openStdin) child.stdin.end(options.input ?? "");
      child.on("close", (code) => done({ code: code ?? 1, out, err }));
    });
  const fleet = (...args: string[]) => mosaic(["fleet", ...args]);
  const rig: Rig = {
    root,
    home,
    env,
    place: (agent) => agentPlace(home, agent),
    mosaic,
    fleet,
    roster(text) {
      mkdirSync(home.fleet, { recursive: true });
      writeFileSync(home.roster, text);
    },
    rosterText: () => readFileSync(home.roster, "utf8"),
    async ps() {
      const { code, out, err } = await fleet("ps", "--json");
      if (code !== 0) throw new Error(`ps ended with ${code}: ${err}`);
      return z.strictObject(FleetState.shape).parse(JSON.parse(out)).agents;
    },
    async agent(name) {
      const found = (await rig.ps()).find((one) => one.name === name);
      if (found === undefined) throw new Error(`ps does not show ${name}`);
      return found;
    },
    async settled(name, is) {
      let last: FleetState["agents"][number] | undefined;
      const found = await until(
        async () => {
          last = await rig.agent(name);
          return is(last) ? last : undefined;
        },
        { withinMs: 30_000 },
      );
      if (found === undefined) {
        const happened = `${(await fleet("logs", name, "-n", "20")).out}${(await fleet("explain", name)).out}`;
        throw new Error(`${name} stayed ${JSON.stringify(last)}\n${happened}`);
      }
      return found;
    },
    async insist(name, text) {
      const { out, err } = await fleet("send", name, "--json", text);
      if (out === "") throw new Error(err);
      const [message] = (JSON.parse(out) as { messages: { id: string; state: string }[] }).messages;
      if (message?.state === "held") await fleet("inbox", "retry", message.id);
    },
    daemonPid() {
      const file = join(home.fleet, "daemon.pid");
      return existsSync(file) ? Number(/^pid=(\d+)/.exec(readFileSync(file, "utf8"))?.[1]) : undefined;
    },
  };
  onTestFinished(async () => {
    // Whatever a test left its roster as, every agent that was ever installed is stopped.
    for (const name of existsSync(home.agents) ? (await import("node:fs")).readdirSync(home.agents) : []) {
      rig.roster(
        rosterOf(`{ name: ${name}, role: orchestrator, runtime: command, command: [sleep, "1"], workdir: ${root} }`),
      );
      await fleet("stop", name);
    }
    const pid = rig.daemonPid();
    if (pid !== undefined) {
      try {
        process.kill(pid, "SIGTERM");
      } catch {
        // gone
      }
      await until(
        () =>
          existsSync(`/proc/${pid}/cmdline`) && readFileSync(`/proc/${pid}/cmdline`, "utf8").includes("serve")
            ? undefined
            : true,
        { withinMs: 5_000 },
      );
    }
    if (extra.root === undefined) rmSync(root, { recursive: true, force: true, maxRetries: 5 });
  });
  return rig;
}

/** A roster with these agents, one line each. */
export function rosterOf(...agents: string[]): string {
  return `version: 1\nfleet: acme\nagents:\n${agents.map((agent) => `  - ${agent}\n`).join("")}`;
}

/** What another agent wrote, out of the frame in which it reaches a conversation. */
export const framed = (text: string): string | undefined =>
  /\n(=== [0-9a-f]{12} ===)\n([\s\S]*)\n\1\s*$/.exec(text)?.[2];
