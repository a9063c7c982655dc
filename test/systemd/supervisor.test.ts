import { resolve } from "node:path";

import { onTestFinished } from "vitest";

import { pause } from "../../src/lib/wait.ts";
import { supervisorSuite } from "../../src/supervisor/supervisor-suite.ts";
import { systemdSupervisor } from "../../src/supervisor/systemd/systemd.ts";
import { unitsOf } from "../../src/supervisor/units.ts";
import { tmuxTerminal } from "../../src/terminal/tmux.ts";

const path = process.env["PATH"] ?? "";
const runtimeDir = process.env["XDG_RUNTIME_DIR"] ?? "";

// The very cases that the builtin supervisor passes, under a real `systemd --user` (manager.sh).
supervisorSuite("systemd", (home) => {
  const terminal = tmuxTerminal({ PATH: path });
  const units = unitsOf(home);
  const env = { PATH: path, HOME: home.root, LANG: "C.UTF-8" };
  const make = () =>
    systemdSupervisor({
      home,
      units,
      terminal,
      env,
      now: Date.now,
      remake: async () => undefined,
      tell: () => {},
      at: { runtimeDir, path },
      installation: {
        home,
        terminal,
        tmux: "/usr/bin/tmux",
        mosaic: [process.execPath, resolve("bin/mosaic.js")],
        env,
      },
    });
  let watching = watch();
  onTestFinished(() => watching.abort());
  /** What the daemon does at each beat. Nothing but a lost record needs it: systemd asks the CLI before each start. */
  function watch() {
    const supervisor = make();
    const ended = new AbortController();
    void (async () => {
      while (!ended.signal.aborted) {
        await supervisor.reconcile();
        await pause(100, ended.signal);
      }
    })();
    return ended;
  }
  return {
    units,
    supervisor: make(),
    loseDaemon() {
      watching.abort();
      watching = watch();
    },
  };
});
