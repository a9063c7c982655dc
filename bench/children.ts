import { readFileSync } from "node:fs";
import { join } from "node:path";

import { exec } from "../src/lib/exec.ts";
import { findExecutable } from "../src/lib/find-executable.ts";
import { mosaic, type Ground } from "./ground.ts";
import type { PaperFleet } from "./paper-fleet.ts";
import type { Row } from "./rows.ts";

const goal = { of: "max", atMost: 2 } as const;

/** How many processes one `ps` starts, as the kernel saw it. It must not grow with the fleet. */
export async function countChildren(ground: Ground, fleets: readonly PaperFleet[]): Promise<Row[]> {
  const strace = findExecutable("strace", ground.path);
  const rows: Row[] = [];
  for (const { size, site } of fleets) {
    const row = { what: `processes started by ps, ${size} agents`, unit: "", goal } as const;
    if (strace === undefined) {
      rows.push({ ...row, samples: [], note: "strace missing" });
      continue;
    }
    ground.tell(`children: ps at ${size} agents under strace`);
    const trace = join(ground.folder, `trace-${size}`);
    // A question mark: not every processor has that call.
    const calls = "trace=execve,?clone,?clone3,?fork,?vfork";
    const argv = [strace, "-f", "-qq", "-e", calls, "-e", "signal=none", "-o", trace] as const;
    const ran = await exec([...argv, ...mosaic, "fleet", "ps", "--json"], { env: site.env, signal: ground.signal });
    ground.signal.throwIfAborted();
    rows.push(
      ran.code === 0
        ? { ...row, samples: [childrenIn(readFileSync(trace, "utf8"))] }
        : { ...row, samples: [], note: `strace failed: ${ran.stderr.trim().split("\n").at(-1)}` },
    );
  }
  return rows;
}

/** New processes in a trace: births that are no threads. A call that was cut in two is counted where it began. */
function childrenIn(trace: string): number {
  const births = trace
    .split("\n")
    .filter((line) => /^\d+\s+(clone3?|v?fork)\(/.test(line) && !line.includes("CLONE_THREAD") && !/ = -1 /.test(line));
  return births.length;
}
