import { spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { project } from "../scripts/machine.ts";
import { writePiHome } from "../test/model/pi-home.ts";

/** A clean throw-away home with a small project in it, and the mosaic that works in there. */
export interface Stage {
  home: string;
  /** Runs `mosaic ARGS`; its output goes to the terminal unless it is asked for. */
  mosaic(args: readonly string[], options?: { quiet?: boolean }): Promise<{ code: number; out: string }>;
  /** Stops the fleet and its daemon, and removes the home. Nothing is left. */
  strike(): Promise<void>;
}

const files = ["src/main.ts", "src/parse.ts", "src/parse.test.ts", "README.md"];

export function setStage(modelUrl: string, piBin: string): Stage {
  const home = mkdtempSync(join(tmpdir(), "mosaic-demo-"));
  const app = join(home, "app");
  mkdirSync(join(app, "src"), { recursive: true });
  for (const file of files) writeFileSync(join(app, file), `// ${file}\n`);
  writePiHome(home, modelUrl);
  const env = {
    PATH: `${piBin}:${process.env["PATH"] ?? ""}`,
    HOME: home,
    TERM: process.env["TERM"] ?? "dumb",
    LANG: "C.UTF-8",
    ...(process.env["NO_COLOR"] !== undefined && { NO_COLOR: process.env["NO_COLOR"] }),
  };
  const mosaic: Stage["mosaic"] = (args, { quiet = false } = {}) =>
    new Promise((resolve) => {
      const child = spawn(process.execPath, [join(project, "bin", "mosaic.js"), ...args], {
        env,
        cwd: app,
        stdio: ["ignore", quiet ? "pipe" : "inherit", quiet ? "ignore" : "inherit"],
        detached: true, // Ctrl-C is for the demo, which then ends things in their order
      });
      let out = "";
      child.stdout?.setEncoding("utf8").on("data", (part: string) => (out += part));
      child.on("close", (code) => resolve({ code: code ?? 1, out }));
    });
  return {
    home,
    mosaic,
    async strike() {
      await mosaic(["fleet", "stop"], { quiet: true });
      await endDaemon(join(home, ".config", "mosaic", "fleet", "daemon.pid"));
      rmSync(home, { recursive: true, force: true, maxRetries: 5 });
    },
  };
}

async function endDaemon(pidFile: string): Promise<void> {
  let pid: number;
  try {
    pid = Number(/^pid=(\d+)/.exec(readFileSync(pidFile, "utf8"))?.[1]);
    process.kill(pid, "SIGTERM");
  } catch {
    return; // it never came up, or has gone
  }
  for (let tries = 0; tries < 200; tries++) {
    try {
      process.kill(pid, 0);
    } catch {
      return;
    }
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
}
