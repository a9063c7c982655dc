import { onTestFinished } from "vitest";

import { tmuxTerminal } from "../terminal/tmux.ts";
import { builtinSupervisor } from "./builtin.ts";
import { supervisorSuite } from "./supervisor-suite.ts";
import { unitsOf } from "./units.ts";

const path = process.env["PATH"] ?? "";

supervisorSuite("builtin", (home) => {
  const make = () =>
    builtinSupervisor({
      home,
      units: unitsOf(home),
      terminal: tmuxTerminal({ PATH: path }),
      env: { PATH: path, HOME: home.root },
      now: Date.now,
      remake: async () => undefined,
      tell: () => {},
    });
  let watching = watch();
  onTestFinished(() => {
    watching.end();
  });
  /** What the daemon does, in this process: look again and again. */
  function watch() {
    const supervisor = make();
    const ended = new AbortController();
    void (async () => {
      while (!ended.signal.aborted) {
        await supervisor.reconcile();
        await new Promise((resolve) => setImmediate(resolve));
      }
    })();
    return { end: () => ended.abort() };
  }
  return {
    supervisor: make(),
    units: unitsOf(home),
    loseDaemon() {
      watching.end();
      watching = watch();
    },
  };
});
