import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, symlinkSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";

/** What the demo and the tests need of a machine, got with a word about it; nothing of it is needed by the product's users. */

export const project = resolve(dirname(fileURLToPath(import.meta.url)), "..");

/**
 * The CLIs that everything is tested on: the npm package, the file in it that is the command, and what it must run after
 * an installation without scripts.
 */
const clis = {
  pi: { package: "@earendil-works/pi-coding-agent", version: "0.87.1", bin: "dist/bundle/cli.js", after: undefined },
  claude: { package: "@anthropic-ai/claude-code", version: "2.1.330", bin: "bin/claude.exe", after: "install.cjs" },
  codex: { package: "@openai/codex", version: "0.169.0", bin: "bin/codex.js", after: undefined },
  opencode: { package: "opencode-ai", version: "1.18.33", bin: "bin/opencode.exe", after: "postinstall.mjs" },
} as const;
type Cli = keyof typeof clis;

export const cliNames = Object.keys(clis) as Cli[];

/** True where that program is on the search path. */
const has = (program: string): boolean => spawnSync("sh", ["-c", `command -v ${program}`]).status === 0;

/**
 * Makes sure of programs that come from Debian packages: installed where this is root on Debian, else the one line to
 * type is printed and false is the answer.
 */
export function needPackages(programs: Readonly<Record<string, string>>): boolean {
  const missing = [...new Set(Object.entries(programs).flatMap(([program, name]) => (has(program) ? [] : [name])))];
  if (missing.length === 0) return true;
  const line = `apt-get install -y --no-install-recommends ${missing.join(" ")}`;
  if (process.getuid?.() !== 0 || !has("apt-get")) {
    process.stderr.write(`Missing: ${missing.join(", ")}. To install, type: sudo ${line}\n`);
    return false;
  }
  process.stderr.write(`Installing ${missing.join(", ")} with apt-get (this is root on Debian)…\n`);
  const env = { ...process.env, DEBIAN_FRONTEND: "noninteractive" };
  const run = (command: string) =>
    spawnSync("sh", ["-c", `${command} >/dev/null`], { stdio: ["ignore", "inherit", "inherit"], env }).status === 0;
  if (!run(line)) {
    run("apt-get update");
    run(line);
  }
  const still = Object.keys(programs).filter((program) => !has(program));
  if (still.length > 0) process.stderr.write(`Could not install: ${still.join(", ")}. Type: ${line}\n`);
  return still.length === 0;
}

/** The folder with a CLI's command in the project's cache; installed from npm where it is not there yet and that is allowed. */
export function cliFolder(name: Cli, options: { install: boolean }): string | undefined {
  const cli = clis[name];
  const folder = join(project, ".cache", `${name}-${cli.version}`);
  const bin = join(folder, "bin");
  if (existsSync(join(bin, name))) return bin;
  if (!options.install) return undefined;
  process.stderr.write(`Installing ${cli.package}@${cli.version} from npm into .cache/ (some 100 MB, once)…\n`);
  const draft = `${folder}.${process.pid}`;
  mkdirSync(draft, { recursive: true });
  const args = [
    "install",
    "--prefix",
    draft,
    "--ignore-scripts",
    "--no-audit",
    "--no-fund",
    "--loglevel=error",
    `${cli.package}@${cli.version}`,
  ];
  const stdio = ["ignore", "ignore", "inherit"] as const;
  const ran = spawnSync("npm", args, { stdio: [...stdio], cwd: draft });
  const home = join(draft, "node_modules", cli.package);
  // npm may install an older version than was asked without a word: look at what came.
  const manifest = join(home, "package.json");
  const came =
    ran.status === 0 && existsSync(manifest)
      ? (JSON.parse(readFileSync(manifest, "utf8")) as { version: string }).version
      : "nothing";
  const { after } = cli;
  const made =
    after === undefined || spawnSync(process.execPath, [after], { stdio: [...stdio], cwd: home }).status === 0;
  if (came !== cli.version || !made) {
    rmSync(draft, { recursive: true, force: true });
    process.stderr.write(`npm gave ${came} instead of ${cli.package}@${cli.version}, or it could not be set up.\n`);
    return undefined;
  }
  mkdirSync(join(draft, "bin"));
  symlinkSync(join("..", "node_modules", cli.package, cli.bin), join(draft, "bin", name));
  rmSync(folder, { recursive: true, force: true });
  renameSync(draft, folder);
  return bin;
}
