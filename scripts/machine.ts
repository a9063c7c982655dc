import { spawnSync } from "node:child_process";
import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, symlinkSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";

/** What the demo and the tests need of a machine, got with a word about it; nothing of it is needed by the product's users. */

export const project = resolve(dirname(fileURLToPath(import.meta.url)), "..");

interface Source {
  command: string;
  package: string;
  version: string;
  /** The file in the package that is the command. */
  bin: string;
  /** What it must run after an installation without scripts. */
  after?: string;
  /** Where npm cannot resolve what the package names: the packages that its bundle really loads, beside its tarball. */
  beside?: readonly string[];
}

const piPackage = { command: "pi", package: "@earendil-works/pi-coding-agent", bin: "dist/bundle/cli.js" };

/** What everything is tested on. */
const clis = {
  pi: { ...piPackage, version: "0.87.1" },
  pi15: { ...piPackage, version: "1.5.2", beside: ["jiti@2.7.0", "typebox@1.3.27"] },
  claude: {
    command: "claude",
    package: "@anthropic-ai/claude-code",
    version: "2.1.330",
    bin: "bin/claude.exe",
    after: "install.cjs",
  },
  codex: { command: "codex", package: "@openai/codex", version: "0.169.0", bin: "bin/codex.js" },
  opencode: {
    command: "opencode",
    package: "opencode-ai",
    version: "1.18.33",
    bin: "bin/opencode.exe",
    after: "postinstall.mjs",
  },
  /** The oldest Node that mosaic runs on, as npm's package for this kind of machine. */
  node22: { command: "node", package: `node-linux-${process.arch}`, version: "22.19.0", bin: "bin/node" },
} satisfies Record<string, Source>;
type Cli = keyof typeof clis;

/** The harnesses. */
export const harnessNames = (Object.keys(clis) as Cli[]).filter((name) => name !== "node22");

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
  const cli: Source = clis[name];
  const folder = join(project, ".cache", `${cli.command}-${cli.version}`);
  const bin = join(folder, "bin");
  if (existsSync(join(bin, cli.command))) return bin;
  if (!options.install) return undefined;
  process.stderr.write(`Installing ${cli.package}@${cli.version} from npm into .cache/ (some 100 MB, once)…\n`);
  const draft = `${folder}.${process.pid}`;
  mkdirSync(draft, { recursive: true });
  const home = join(draft, "node_modules", cli.package);
  const got =
    cli.beside === undefined ? npmInstall(draft, [`${cli.package}@${cli.version}`]) : unpack(cli, draft, home);
  // npm may install an older version than was asked without a word: look at what came.
  const manifest = join(home, "package.json");
  const came =
    got && existsSync(manifest)
      ? (JSON.parse(readFileSync(manifest, "utf8")) as { version: string }).version.replace(/^v/, "")
      : "nothing";
  const made = cli.after === undefined || ran(process.execPath, [cli.after], home);
  if (came !== cli.version || !made) {
    rmSync(draft, { recursive: true, force: true });
    process.stderr.write(`npm gave ${came} instead of ${cli.package}@${cli.version}, or it could not be set up.\n`);
    return undefined;
  }
  mkdirSync(join(draft, "bin"));
  symlinkSync(join("..", "node_modules", cli.package, cli.bin), join(draft, "bin", cli.command));
  rmSync(folder, { recursive: true, force: true });
  renameSync(draft, folder);
  return bin;
}

function npmInstall(folder: string, packages: readonly string[]): boolean {
  const flags = ["--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"];
  return ran("npm", ["install", "--prefix", folder, ...flags, ...packages], folder);
}

/** Lays a package's tarball, and beside it what its bundle loads, without asking npm for what else it names. */
function unpack(cli: Source, draft: string, home: string): boolean {
  const pack = ["pack", "--loglevel=error", `${cli.package}@${cli.version}`];
  const got = npmInstall(draft, cli.beside ?? []) && ran("npm", pack, draft);
  const tarball = readdirSync(draft).find((name) => name.endsWith(".tgz"));
  if (!got || tarball === undefined) return false;
  mkdirSync(home, { recursive: true });
  const unpacked = ran("tar", ["-xzf", join(draft, tarball), "-C", home, "--strip-components=1"], draft);
  rmSync(join(draft, tarball));
  // npm makes a command executable when it installs it; a tarball need not say so.
  chmodSync(join(home, cli.bin), 0o755);
  return unpacked;
}

const ran = (file: string, args: readonly string[], cwd: string): boolean =>
  spawnSync(file, args, { cwd, stdio: ["ignore", "ignore", "inherit"] }).status === 0;
