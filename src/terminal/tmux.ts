import { rmSync } from "node:fs";

import type { Terminal, TerminalAt } from "../contract/terminal.ts";
import { FleetError } from "../lib/errors.ts";
import { exec, type Ran } from "../lib/exec.ts";
import { until } from "../lib/wait.ts";

/** Columns and rows of every agent's terminal while nobody is attached: programs draw the same for all. */
const size = { columns: 200, rows: 50 };

/**
 * Set before the session exists. No update-environment: attaching must not carry a person's variables into an agent.
 * remain-on-exit stays off, so that a dead agent is a dead terminal and cannot look alive.
 */
const settings: readonly (readonly string[])[] = [
  ["history-limit", "5000"],
  ["default-terminal", "tmux-256color"],
  ["extended-keys", "on"],
  ["escape-time", "10"],
  ["focus-events", "on"],
  ["remain-on-exit", "off"],
  ["exit-empty", "on"],
  ["destroy-unattached", "off"],
  ["update-environment", ""],
  ["set-titles", "off"],
  ["status-left", "[#S] "],
  ["status-left-length", "40"],
  ["status-right", "detach: C-b d"],
];

/** A terminal in a tmux server of its own. Needs tmux 3.2 or newer. */
export function tmuxTerminal(env: { PATH: string }): Terminal {
  const tmux = (at: TerminalAt, args: readonly string[], input?: string): Promise<Ran> =>
    exec(["tmux", "-u", "-S", at.socket, "-f", "/dev/null", ...args], {
      env: { PATH: env.PATH, LANG: "C.UTF-8", TERM: "tmux-256color" },
      timeoutMs: 10_000,
      ...(input !== undefined && { input }),
    });

  const must = async (at: TerminalAt, doing: string, args: readonly string[], input?: string): Promise<string> => {
    const ran = await tmux(at, args, input);
    if (ran.code === 0) return ran.stdout;
    if (ran.code === 127) throw missing();
    throw new FleetError("unreachable", `Cannot ${doing} ${at.name}: ${ran.stderr.trim() || "tmux did not answer"}.`, {
      hint: `mosaic fleet explain ${at.name}`,
    });
  };

  return {
    opener,

    async open(at, run) {
      // A server that is just ending takes a new session with it (seen 14 of 30 times): wait until it is gone.
      await until(async () => ((await isListening(at.socket)) ? undefined : true), { withinMs: 5_000, everyMs: 20 });
      const started = await exec(opener(at, run), {
        env: { ...run.env, LANG: run.env["LANG"] ?? "C.UTF-8" },
        cwd: "/",
        timeoutMs: 10_000,
      });
      if (started.code === 127) throw missing();
      // The script may have run and ended before tmux could say so. It ran once: trying again would run it twice.
      if (started.code !== 0 && !/server exited|lost server/.test(started.stderr)) {
        throw new FleetError(
          "conflict",
          `Cannot open a terminal for ${at.name}: ${started.stderr.trim() || "tmux did not answer"}.`,
          {
            hint: `mosaic fleet stop ${at.name}`,
          },
        );
      }
    },

    async isOpen(at) {
      const ran = await tmux(at, ["has-session", "-t", target(at)]);
      if (ran.code === 127) throw missing();
      return ran.code === 0;
    },

    capture: (at, history = 0) =>
      must(at, "read the screen of", ["capture-pane", "-p", "-J", "-S", `-${history}`, "-t", target(at)]),

    async type(at, text) {
      // Text travels on stdin: as an argument, a `;` at its end would be tmux's own. The buffer is this call's alone.
      const buffer = `mosaic-${process.pid}-${process.hrtime.bigint()}`;
      const paste = ["paste-buffer", "-p", "-r", "-d", "-b", buffer, "-t", target(at)];
      const enter = ["send-keys", "-t", target(at), "Enter"];
      await must(at, "type to", ["load-buffer", "-b", buffer, "-", ";", ...paste, ";", ...enter], text);
    },

    async press(at, key) {
      await must(at, "press a key for", ["send-keys", "-t", target(at), key]);
    },

    async close(at) {
      await tmux(at, ["kill-server"]);
      await until(async () => ((await tmux(at, ["has-session", "-t", target(at)])).code === 0 ? undefined : true), {
        withinMs: 5_000,
      });
      // tmux leaves its socket behind; that of a server which still listens is its only way in.
      if (!(await isListening(at.socket))) rmSync(at.socket, { force: true });
    },

    viewer(at, { readOnly }) {
      const base = ["tmux", "-u", "-S", at.socket, "attach-session", "-t", target(at)] as [string, ...string[]];
      // A watcher neither types nor resizes; an attached person gets the window in the size of their own terminal.
      return readOnly
        ? [...base, "-r", "-f", "read-only,ignore-size"]
        : [...base, ";", "set-option", "-w", "window-size", "latest"];
    },
  };
}

function opener(at: TerminalAt, run: { script: string; cwd: string }): [string, ...string[]] {
  const first = ["start-server", ...settings.flatMap((pair) => [";", "set-option", "-g", ...pair])];
  // A detached person leaves the agent at the fixed size again, unless somebody else is still looking.
  const refit = `if-shell -F "#{==:#{session_attached},0}" "resize-window -x ${size.columns} -y ${size.rows}"`;
  const hook = [";", "set-hook", "-g", "client-detached", refit];
  const session = [";", "new-session", "-d", "-s", at.name, "-x", String(size.columns), "-y", String(size.rows)];
  // A lone watcher would resize it in spite of ignore-size; only `attach` lets the size follow whoever looks.
  const fixed = [";", "set-option", "-w", "-t", target(at), "window-size", "manual"];
  const argv = [...first, ...hook, ...session, "-c", run.cwd, "/bin/sh", run.script, ...fixed];
  return ["tmux", "-u", "-S", at.socket, "-f", "/dev/null", ...argv];
}

function isListening(socket: string): Promise<boolean> {
  return new Promise((resolve) => {
    const line = process.getBuiltinModule("node:net").connect(socket);
    line.on("connect", () => resolve(true)).on("error", () => resolve(false));
    line.on("connect", () => line.destroy());
  });
}

/** `=name:` is exact for every tmux command; a bare name would match by prefix and hit `co-1` for `co`. */
const target = (at: TerminalAt): string => `=${at.name}:`;

const missing = (): FleetError =>
  new FleetError("not-found", "tmux is not installed; agents live in it.", { hint: "apt-get install tmux" });
