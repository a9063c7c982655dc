import { spawn } from "node:child_process";
import { existsSync, readFileSync, readdirSync } from "node:fs";
import { join, resolve } from "node:path";

import { expect, onTestFinished, test } from "vitest";

import { until } from "../../src/lib/wait.ts";

const script = resolve(import.meta.dirname, "..", "systemd", "manager.sh");
const groups = ["/sys/fs/cgroup", "/sys/fs/cgroup/unified"].find((root) =>
  existsSync(join(root, "cgroup.controllers")),
);
const can = process.getuid?.() === 0 && groups !== undefined && existsSync("/lib/systemd/systemd");

/** Every process in a group, inner groups too. */
const processesIn = (group: string): string =>
  readdirSync(group, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.name === "cgroup.procs")
    .map((entry) => readFileSync(join(entry.parentPath, entry.name), "utf8"))
    .join("");

test.skipIf(!can).for(["SIGINT", "SIGTERM", "SIGHUP", "SIGKILL"] as const)(
  "the systemd lane leaves nothing behind when %s ends it",
  async (signal) => {
    const lane = spawn(script, ["sleep", "1000"], { stdio: "ignore" });
    onTestFinished(() => void lane.kill("SIGKILL"));
    const ended = new Promise((done) => lane.on("close", done));
    const group = join(groups ?? "", `mosaic-test.${lane.pid}`);
    const login = join(group, "user", "login.scope", "cgroup.procs");
    const isUp = () => (existsSync(login) && readFileSync(login, "utf8") !== "" ? true : undefined);
    expect(await until(isUp, { withinMs: 20_000 })).toBe(true);
    lane.kill(signal);
    await ended;
    if (signal !== "SIGKILL") return expect(existsSync(group)).toBe(false);
    // Nobody is left to remove the group; it is empty, and the next run does.
    expect(await until(() => (processesIn(group) === "" ? true : undefined), { withinMs: 5_000 })).toBe(true);
    await new Promise((done) => spawn(script, ["true"], { stdio: "ignore" }).on("close", done));
    expect(existsSync(group)).toBe(false);
  },
);
