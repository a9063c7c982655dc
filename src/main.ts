import { readFileSync } from "node:fs";
import { homedir, hostname, userInfo } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

import type { Context } from "./cli/context.ts";
import { ps } from "./cli/ps.ts";
import type { Asker } from "./contract/command.ts";
import { layHome } from "./contract/home.ts";
import { inProcess } from "./fleet/control.ts";
import type { World } from "./fleet/world.ts";
import { readEnvironment } from "./lib/environment.ts";
import { FleetError, exitCodes } from "./lib/errors.ts";
import { findExecutable } from "./lib/find-executable.ts";
import { appendLog } from "./lib/log.ts";
import { beatInterval } from "./status/beat.ts";
import { builtinSupervisor, type SupervisorParts } from "./supervisor/builtin.ts";
import type { Supervisor } from "./supervisor/supervisor.ts";
import { runtimeDirOf } from "./supervisor/systemd/systemctl.ts";
import type { SystemdSupervisor } from "./supervisor/systemd/systemd.ts";
import { unitsOf } from "./supervisor/units.ts";
import { tmuxTerminal } from "./terminal/tmux.ts";

/** The composition root: reads the environment once, wires the rooms together, and is the only one that exits. */

const { env } = process;
const here = fileURLToPath(new URL(".", import.meta.url));
const fromSource = import.meta.url.endsWith(".ts");
const argv = process.argv.slice(2);

/** What an agent may inherit of the environment in which mosaic was called. Everything else stays outside. */
const inherited =
  /^(HOME|USER|LOGNAME|SHELL|LANG|LC_\w+|TZ|TMPDIR|XDG_(CONFIG|DATA|CACHE|STATE)_HOME|PI_CODING_AGENT_DIR|CLAUDE_CONFIG_DIR|CODEX_HOME|(NO|HTTPS?)_PROXY|(no|https?)_proxy|SSL_CERT_FILE|NODE_EXTRA_CA_CERTS)$/;

/** `--mosaic-home DIR` wins over MOSAIC_HOME, wherever it stands before a `--`. */
function takeHomeFlag(): string | undefined {
  for (const [at, word] of argv.entries()) {
    if (word === "--") return undefined;
    const [flag, value] = word.split(/=(.*)/s, 2);
    if (flag !== "--mosaic-home") continue;
    const [, next] = argv.splice(at, value === undefined ? 2 : 1);
    const folder = value ?? next;
    if (!folder) throw new FleetError("usage", "--mosaic-home needs a folder.", { hint: "mosaic fleet --help" });
    return folder;
  }
  return undefined;
}

/** As the system knows them, where the environment does not say. */
function accountName(uid: number): string {
  try {
    return userInfo().username;
  } catch {
    return `uid ${uid}`;
  }
}

function makeWorld(homeFlag: string | undefined): { world: World; systemd: () => Promise<SystemdSupervisor> } {
  const uid = process.getuid?.() ?? 0;
  const beatIntervalS = beatInterval(env["MOSAIC_HEARTBEAT_INTERVAL"]);
  const home = layHome({
    mosaicHome: homeFlag ?? (env["MOSAIC_HOME"] || undefined),
    userHome: homedir(),
    runDir: env["MOSAIC_HEARTBEAT_RUN_DIR"] || undefined,
    uid,
    configHome: env["XDG_CONFIG_HOME"] || undefined,
  });
  const byAgent = env["MOSAIC_AGENT"] !== undefined;
  // What an agent has in its environment is its own; others that it starts get what the person had.
  const outer = (byAgent ? readEnvironment(home.environment) : undefined) ?? env;
  const path = outer["PATH"] ?? "/usr/local/bin:/usr/bin:/bin";
  const kept = Object.entries(outer).filter(
    (pair): pair is [string, string] => pair[1] !== undefined && inherited.test(pair[0]),
  );
  const agentEnv = { LANG: "C.UTF-8", ...Object.fromEntries(kept) };
  const terminal = tmuxTerminal({ PATH: path });
  const log: World["log"] = (line) =>
    appendLog(join(home.log, "fleet.jsonl"), { at: new Date().toISOString(), ...line });
  const parts: SupervisorParts = {
    home,
    units: unitsOf(home),
    terminal,
    env: { HOME: homedir(), PATH: path, LANG: agentEnv.LANG },
    now: Date.now,
    tell: log,
    remake: async (name) => (await import("./daemon/serve.ts")).remake(world, name),
  };
  const systemdAt = { runtimeDir: runtimeDirOf(env["XDG_RUNTIME_DIR"], uid), path };
  const systemd = async () => {
    const { systemdSupervisor } = await import("./supervisor/systemd/systemd.ts");
    return systemdSupervisor({ ...parts, at: systemdAt, installation: world.installation() });
  };
  const world: World = {
    home,
    terminal,
    units: parts.units,
    supervisors: { builtin: builtinSupervisor(parts), systemd: later(systemd) },
    systemd: systemdAt,
    installation: () => ({
      home,
      terminal,
      tmux: findExecutable("tmux", path) ?? "/usr/bin/tmux",
      mosaic: [process.execPath, world.entry],
      env: parts.env,
    }),
    search: { path, node: process.execPath },
    now: Date.now,
    host: hostname(),
    uid,
    user: env["USER"] || env["LOGNAME"] || accountName(uid),
    beatIntervalS,
    byAgent,
    agentEnv,
    ownEnv: {
      ...agentEnv,
      PATH: path,
      MOSAIC_HEARTBEAT_RUN_DIR: home.run,
      MOSAIC_HEARTBEAT_INTERVAL: String(beatIntervalS),
    },
    assets: fromSource
      ? {
          piExtension: join(here, "harness/pi/extension/index.ts"),
          codexOpener: join(here, "harness/codex/open.ts"),
          presets: join(here, "roster/presets"),
        }
      : {
          piExtension: join(here, "pi-extension.js"),
          codexOpener: join(here, "codex-opener.js"),
          presets: join(here, "presets"),
        },
    entry: fromSource ? fileURLToPath(import.meta.url) : join(here, "..", "bin", "mosaic.js"),
    log,
  };
  return { world, systemd };
}

/** A supervisor whose code is loaded when it is first asked to do something. */
function later(load: () => Promise<SystemdSupervisor>): Supervisor {
  let loaded: Promise<SystemdSupervisor> | undefined;
  const real = () => (loaded ??= load());
  return {
    kind: "systemd",
    start: async (name) => (await real()).start(name),
    stop: async (name, how) => (await real()).stop(name, how),
    reconcile: async () => (await real()).reconcile(),
  };
}

function makeContext(): Context {
  const { world, systemd } = makeWorld(takeHomeFlag());
  const agent = env["MOSAIC_AGENT"];
  const by: Asker = agent ? { kind: "agent", name: agent, token: env["MOSAIC_AGENT_TOKEN"] } : { kind: "person" };
  let stopper: AbortController | undefined;
  const context: Context = {
    world,
    control: inProcess(world, {
      ensureDaemon: async (kind) => (await import("./daemon/ensure.ts")).ensureDaemon(world, kind),
      tellDecided: async (...what) => (await import("./daemon/tell-decided.ts")).tellDecided(world, ...what),
    }),
    by,
    out: (text) => void process.stdout.write(text),
    err: (text) => void process.stderr.write(text),
    progress: (line) => void (process.stderr.isTTY && process.stderr.write(`${line}\n`)),
    stdin: process.stdin,
    color: process.stdout.isTTY && !env["NO_COLOR"] && env["TERM"] !== "dumb",
    interactive: process.stdin.isTTY && process.stdout.isTTY,
    columns: process.stdout.isTTY ? process.stdout.columns : Infinity,
    get signal() {
      if (stopper === undefined) {
        const made = new AbortController();
        for (const name of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.once(name, () => made.abort());
        stopper = made;
      }
      return stopper.signal;
    },
    cwd: process.cwd(),
    version: version(),
    report: async (said) => (await import("./daemon/report.ts")).report(world, by, said),
    variable: (name) => env[name],
    connections: async () => {
      const { connectionsOf } = await import("./daemon/connections.ts");
      const { remote } = await import("./api/client.ts");
      return connectionsOf(world, () => remote(world.home.api).health());
    },
    daemon: async () => {
      const { bringUp } = await import("./daemon/bring-up.ts");
      await bringUp(world);
      return (await import("./api/client.ts")).remote(world.home.api);
    },
    isDaemonUp: async () => (await import("./daemon/serve.ts")).daemonProcess(world.home) !== undefined,
    serve: async () => (await import("./daemon/serve.ts")).serve(world, version(), context.signal, context.err),
    unit: async (what, name) => (await import("./daemon/unit.ts")).unit(world, await systemd(), what, name),
    run: async ([file, ...args]) => {
      const { TMUX: _, TMUX_PANE: __, ...outer } = env;
      const { spawn } = await import("node:child_process");
      const child = spawn(file, args, { stdio: "inherit", env: outer });
      for (const name of ["SIGINT", "SIGQUIT"] as const) process.on(name, () => undefined); // keys are for the program
      return new Promise((resolve) => child.on("close", (code) => resolve(code ?? 1)).on("error", () => resolve(127)));
    },
    become: async (line) => {
      // Inside somebody's tmux, ours is another server: nesting is meant.
      const { TMUX: _, TMUX_PANE: __, ...outer } = env;
      return (await import("./lib/become.ts")).become(line, outer);
    },
  };
  return context;
}

function version(): string {
  const manifest = JSON.parse(readFileSync(join(here, "..", "package.json"), "utf8")) as { version: string };
  return manifest.version;
}

/** The line that is typed most skips the command parser (13 ms); every other goes through it. */
async function run(): Promise<number> {
  const context = makeContext();
  const line = argv.join(" ");
  if (line === "fleet ps" || line === "fleet ps --json") {
    return ps(context, line.endsWith("--json") ? { json: true } : {});
  }
  const { runProgram } = await import("./cli/program.ts");
  return runProgram(argv, context);
}

function report(error: unknown): number {
  if (!(error instanceof FleetError)) {
    process.stderr.write(
      `Unexpected fault: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`,
    );
    return 1;
  }
  process.stderr.write(`${error.message}\n`);
  if (error.hint !== undefined) process.stderr.write(`Next: ${error.hint}\n`);
  return exitCodes[error.code];
}

// A reader that goes away (`| head`) is not a fault.
process.stdout.on("error", (error: NodeJS.ErrnoException) => process.exit(error.code === "EPIPE" ? 0 : 1));
process.exitCode = await run().catch(report);
