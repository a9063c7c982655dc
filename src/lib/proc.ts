import { readdirSync, readFileSync } from "node:fs";

/** A process as the kernel knows it. `frozen` is stopped or traced (SIGSTOP); a zombie has ended and only waits to be read. */
export interface Process {
  state: "alive" | "frozen" | "zombie";
  /** Clock ticks since boot at its start: with the pid it names one process for ever, a reused pid differs. */
  started: string;
  parent: number;
}

/** The process of that pid, or undefined when there is none. `kill -0` would call a zombie alive; this does not. */
export function processOf(pid: number): Process | undefined {
  let stat: string;
  try {
    stat = readFileSync(`/proc/${pid}/stat`, "utf8");
  } catch {
    return undefined;
  }
  // The program's name may hold spaces and brackets; the fields start behind the last bracket.
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  const [letter = "", parent = "0"] = fields;
  const state = letter === "Z" || letter === "X" ? "zombie" : letter === "T" || letter === "t" ? "frozen" : "alive";
  return { state, started: fields[19] ?? "", parent: Number(parent) };
}

/** True while that very process (pid and start) runs or is frozen. */
export function isLiving(id: { pid: number; started: string }): boolean {
  const found = processOf(id.pid);
  return found !== undefined && found.state !== "zombie" && found.started === id.started;
}

/** True once nothing of that pid runs any more, whether or not somebody has read its end. */
export const isGone = (pid: number): boolean => (processOf(pid)?.state ?? "zombie") === "zombie";

/** Every living process whose environment carries all of these `KEY=value` marks. Reads /proc once. */
export function markedProcesses(marks: readonly string[]): number[] {
  const found: number[] = [];
  for (const entry of readdirSync("/proc")) {
    if (!/^\d+$/.test(entry)) continue;
    try {
      const environ = `\0${readFileSync(`/proc/${entry}/environ`, "utf8")}\0`;
      if (!marks.every((mark) => environ.includes(`\0${mark}\0`))) continue;
      if (processOf(Number(entry))?.state !== "zombie") found.push(Number(entry));
    } catch {
      // gone meanwhile, or another user's: not ours either way
    }
  }
  return found;
}

/** Sends a signal; false when the process is gone already. */
export function signal(pid: number, name: NodeJS.Signals): boolean {
  try {
    process.kill(pid, name);
    return true;
  } catch {
    return false;
  }
}

/** Names this run of the machine (or of the container): another after a reboot. Nothing of an earlier one lives on. */
export function machineRun(): string {
  try {
    return `${readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim()}:${processOf(1)?.started ?? ""}`;
  } catch {
    return "";
  }
}
