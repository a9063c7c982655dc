import { existsSync, globSync, mkdirSync, mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

import { layHome, type Home } from "../src/contract/home.ts";
import { FleetError } from "../src/lib/errors.ts";
import { exec, type Ran } from "../src/lib/exec.ts";

const product = fileURLToPath(new URL("..", import.meta.url));

/** The line that runs the built CLI, as it is installed. */
export const mosaic = [process.execPath, join(product, "bin/mosaic.js")] as const;

/** A folder that is gone at the end, and what the sections of the benchmark share. */
export interface Ground {
  folder: string;
  path: string;
  rounds: number;
  signal: AbortSignal;
  tell: (line: string) => void;
  /** Runs at the end, however it comes; the newest first. */
  defer: (undo: () => void | Promise<void>) => void;
}

export function layGround(
  parts: Pick<Ground, "rounds" | "signal" | "tell">,
  undoing: AsyncDisposableStack,
  path: string,
): Ground {
  const folder = mkdtempSync(join(tmpdir(), "mosaic-bench-"));
  undoing.defer(() => rmSync(folder, { recursive: true, force: true }));
  return { ...parts, folder, path, defer: (undo) => undoing.defer(undo) };
}

/** A home below the ground, and the CLI called in it as from a person's shell that sets nothing else. */
export interface Site {
  home: Home;
  env: Record<string, string>;
  mosaic: (args: readonly string[], options?: { timeoutMs?: number; signal?: AbortSignal }) => Promise<Ran>;
}

export function laySite(ground: Ground, name: string): Site {
  const user = join(ground.folder, "user");
  mkdirSync(user, { recursive: true });
  const root = join(ground.folder, name);
  const home = layHome({ mosaicHome: root, userHome: user, runDir: undefined, uid: process.getuid?.() ?? 0 });
  // Where the path is long, sockets lie outside the home.
  ground.defer(() => rmSync(home.sockets, { recursive: true, force: true }));
  const env = { PATH: ground.path, HOME: user, MOSAIC_HOME: root, TERM: "xterm-256color" };
  return { home, env, mosaic: (args, options = {}) => exec([...mosaic, ...args], { env, ...options }) };
}

/** Refuses where nothing is built; says so where the build is older than its source. */
export function checkBuild(tell: Ground["tell"]): void {
  const built = join(product, "dist/main.js");
  if (!existsSync(built)) {
    throw new FleetError("not-found", "There is no build to measure: dist/main.js does not exist.", {
      hint: "npm run build",
    });
  }
  const { mtimeMs } = statSync(built);
  const sources = globSync("src/**/*.ts", { cwd: product, exclude: (path) => path.endsWith(".test.ts") });
  if (sources.some((path) => statSync(join(product, path)).mtimeMs > mtimeMs)) {
    tell("dist is older than src: the build is measured as it is; npm run build makes it anew");
  }
}
