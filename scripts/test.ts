import { spawnSync } from "node:child_process";
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { cliFolder, harnessNames, needPackages, project } from "./machine.ts";

/**
 * `npm test`: every lane that this machine can run, one after the other (two cores), and loudly which it cannot. With
 * CI=true the harness CLIs are installed too and a lane that cannot run is a failure.
 */
const ci = process.env["CI"] === "true";
const only = process.argv.slice(2).filter((word) => !word.startsWith("-"));
const total = { passed: 0, failed: 0, skipped: 0 };
const said: string[] = [];

const tmux = needPackages({ tmux: "tmux", git: "git" });
const systemd =
  existsSync("/lib/systemd/systemd") || needPackages({ systemctl: "systemd", "dbus-daemon": "dbus-user-session" });
const ip = needPackages({ ip: "iproute2", unshare: "util-linux" });
/** Every CLI's folder, and the variable by which its tests find it. */
const clis = harnessNames.map((name) => ({
  name,
  variable: `MOSAIC_TEST_${name.toUpperCase()}`,
  bin: cliFolder(name, { install: ci }),
}));
const oldest = cliFolder("node22", { install: ci });
const missing = clis.filter((cli) => cli.bin === undefined).map((cli) => cli.name);
const scratch = mkdtempSync(join(tmpdir(), "mosaic-test-"));

/** A network with nothing but loopback: what is tested in there provably calls nobody. */
const cutOff = ["unshare", "-n", "sh", "-c", 'ip link set lo up && exec "$@"', "sh"];
const canCut = ip && spawnSync(cutOff[0] ?? "", [...cutOff.slice(1), "true"]).status === 0;

lane("static", true, () => {
  for (const check of ["format:check", "lint", "types", "dead"])
    step(`npm run ${check}`, ["npm", "run", "--silent", check]);
});
lane("build", true, () => step("npm run build", ["npm", "run", "--silent", "build"]));
lane("unit", tmux || "tmux is missing", () => vitest("unit"));
lane("cli", tmux || "tmux is missing", () => vitest("cli"));
lane(
  "oldest",
  !tmux ? "tmux is missing" : oldest !== undefined || "the oldest Node is not in .cache/; CI=true npm test installs it",
  () => vitest("cli", [], { node: join(oldest ?? "", "node"), files: ["lifecycle", "chat", "connect"] }),
);
lane(
  "harness",
  !tmux
    ? "tmux is missing"
    : missing.length < clis.length || "no harness CLI is in .cache/; CI=true npm test installs them",
  () => {
    // Tests of a CLI that is not there skip themselves; this says so where it is read.
    if (missing.length > 0) console.error(`Not in .cache/, so not tested: ${missing.join(", ")}.`);
    if (missing.length > 0 && ci) total.failed++;
    if (!canCut)
      console.error(
        "The network cannot be cut off here (needs root and unshare): the harness lane runs without that proof.",
      );
    if (!canCut && ci) total.failed++;
    vitest("harness", canCut ? cutOff : []);
  },
);

lane("systemd", !tmux ? "tmux is missing" : systemd || "systemd and dbus-user-session are missing", () => {
  if (process.getuid?.() !== 0) return skip("systemd", "needs root, for a systemd of its own beside the machine's");
  const env = [`PATH=${process.env["PATH"]}`, ...clis.map(({ variable, bin }) => `${variable}=${bin ?? ""}`)];
  vitest("systemd", [join(project, "test", "systemd", "manager.sh"), "env", ...env]);
});

rmSync(scratch, { recursive: true, force: true });
console.log(`\nLanes\n${said.join("\n")}\n`);
console.log(`${total.passed} passed, ${total.failed} failed, ${total.skipped} skipped`);
process.exit(total.failed === 0 ? 0 : 1);

function lane(name: string, can: boolean | string, run: () => void): void {
  if (only.length > 0 && !only.includes(name)) return;
  if (can !== true) return skip(name, can === false ? "not possible here" : can);
  console.log(`\n== lane ${name}`);
  const before = { ...total };
  run();
  said.push(
    `  ${total.failed > before.failed ? "FAILED " : "ok     "}  ${name}: ${total.passed - before.passed} passed`,
  );
}

function skip(name: string, why: string): void {
  if (ci) total.failed++;
  else total.skipped++;
  said.push(`  SKIPPED  ${name}: ${why}`);
  console.error(`\nSKIPPED lane ${name}: ${why}\n`);
}

function step(what: string, argv: readonly string[]): void {
  const [file = "", ...args] = argv;
  const ran = spawnSync(file, args, { cwd: project, stdio: "inherit" });
  console.log(`${ran.status === 0 ? "ok    " : "FAILED"} ${what}`);
  if (ran.status === 0) total.passed++;
  else total.failed++;
}

/** One project's tests, or those of the named files, on this Node or another. */
function vitest(
  name: string,
  inside: readonly string[] = [],
  { node = process.execPath, files = [] }: { node?: string; files?: readonly string[] } = {},
): void {
  const report = join(scratch, `${name}.json`);
  chmodSync(scratch, 0o777); // a lane may run as a user of its own
  // The configuration is read as it is: a lane may not be allowed to write a copy of it.
  const args = [
    "run",
    "--configLoader=native",
    "--project",
    name,
    "--reporter=default",
    "--reporter=json",
    `--outputFile.json=${report}`,
    ...files.map((file) => `test/${name}/${file}.test.ts`),
  ];
  const [file = "", ...rest] = [...inside, node, join(project, "node_modules", "vitest", "vitest.mjs"), ...args];
  // A colourless report reads well in a log, and an agent's own marks must not leak into a test's fleets.
  const { MOSAIC_HOME: _, MOSAIC_AGENT: __, MOSAIC_AGENT_TOKEN: ___, ...env } = process.env;
  const ran = spawnSync(file, rest, {
    cwd: project,
    stdio: "inherit",
    env: { ...env, ...Object.fromEntries(clis.map(({ variable, bin }) => [variable, bin])) },
  });
  try {
    const { numPassedTests, numFailedTests, numPendingTests } = JSON.parse(readFileSync(report, "utf8")) as Record<
      string,
      number
    >;
    total.passed += numPassedTests ?? 0;
    total.failed += numFailedTests ?? 0;
    total.skipped += numPendingTests ?? 0;
    if (ran.status !== 0 && (numFailedTests ?? 0) === 0) total.failed++;
  } catch {
    total.failed++;
  }
}
