import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";

import { expect, onTestFinished, test } from "vitest";

import { comes } from "../../test/comes.ts";
import { processState } from "../supervisor/records.ts";
import { isGone, isLiving, markedProcesses, processOf } from "./proc.ts";
import { until } from "./wait.ts";

function run(file: string, args: string[], env: Record<string, string> = {}): number {
  const child = spawn(file, args, { env: { PATH: process.env["PATH"] ?? "", ...env }, stdio: "ignore" });
  onTestFinished(() => void child.kill("SIGKILL"));
  return child.pid ?? 0;
}
const runOf = (pid: number, started: string) => ({ pid, started, wrapper: 0, server: 0, at: 0 });

test("a process is its pid and its start: a reused pid is another one", () => {
  const { started } = processOf(process.pid) ?? { started: "" };
  expect(isLiving({ pid: process.pid, started })).toBe(true);
  expect(isLiving({ pid: process.pid, started: "1" })).toBe(false);
  expect(processState(runOf(process.pid, started))).toBe("alive");
  expect(processState(runOf(process.pid, "1"))).toBe("none");
});

test("a zombie is gone, though its pid is still there", async () => {
  // The shell becomes a program that never reads the end of its child.
  const parent = run("/bin/sh", ["-c", "sleep 0.01 & exec sleep 1000"]);
  const child = () => Number(readFileSync(`/proc/${parent}/task/${parent}/children`, "utf8").trim().split(" ")[0] ?? 0);
  const pid = await until(() => child() || undefined, { withinMs: 5_000 });
  await comes(() => (processOf(pid ?? 0)?.state === "zombie" ? true : undefined), { withinMs: 5_000 });
  const zombie = processOf(pid ?? 0);
  expect(zombie?.state).toBe("zombie");
  expect(isGone(pid ?? 0)).toBe(true);
  expect(isLiving({ pid: pid ?? 0, started: zombie?.started ?? "" })).toBe(false);
  expect(processState(runOf(pid ?? 0, zombie?.started ?? ""))).toBe("none");
});

test("a program's name may hold brackets and spaces", async () => {
  const pid = run("/bin/sh", ["-c", "printf 'a) R (b' >/proc/$$/comm; while :; do sleep 1; done"]);
  await comes(() => (readFileSync(`/proc/${pid}/comm`, "utf8").includes(") R") ? true : undefined), {
    withinMs: 5_000,
  });
  expect(processOf(pid)).toMatchObject({ state: "alive", parent: process.pid });
});

test("marks: all of them, whole", async () => {
  const mark = `M${process.pid}`;
  const both = run("sleep", ["100"], { MOSAIC_T1: mark, MOSAIC_T2: "b" });
  run("sleep", ["100"], { MOSAIC_T1: mark, MOSAIC_T2: "bc" });
  run("sleep", ["100"], { MOSAIC_T1: mark });
  const all = () => markedProcesses([`MOSAIC_T1=${mark}`]);
  await comes(() => (all().length === 3 ? true : undefined), { withinMs: 5_000 });
  expect(markedProcesses([`MOSAIC_T1=${mark}`, "MOSAIC_T2=b"])).toEqual([both]);
});
