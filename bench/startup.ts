import { exec } from "../src/lib/exec.ts";
import { laySite, mosaic, type Ground } from "./ground.ts";
import type { PaperFleet } from "./paper-fleet.ts";
import { median, type Row } from "./rows.ts";

/** How many times bare node's time `ps` may take, by the number of agents. */
const psGoals: Record<number, number> = { 10: 1.7, 100: 2, 500: 2.5 };

/** Cold starts in turn (A B C A B C …), so that noise of the machine hits all alike. */
export async function measureStartup(ground: Ground, fleets: readonly PaperFleet[]): Promise<Row[]> {
  const { env } = laySite(ground, "empty");
  const floor: Line = { what: "node -e 0", argv: [process.execPath, "-e", "0"], env };
  const lines: Line[] = [
    { what: "mosaic --version", argv: [...mosaic, "--version"], env, atMost: 1.4 },
    ...fleets.map(({ size, site }): Line => {
      const argv = [...mosaic, "fleet", "ps", "--json"] as const;
      return { what: `mosaic fleet ps --json, ${size} agents`, argv, env: site.env, atMost: psGoals[size] };
    }),
  ];
  const all = [floor, ...lines].map((line) => ({ line, times: [] as number[] }));
  ground.tell(`startup: ${ground.rounds} rounds of ${all.length} commands`);
  for (let round = -1; round < ground.rounds; round++) {
    for (const { line, times } of all) {
      const took = await timeOnce(line, ground.signal);
      if (round >= 0) times.push(took); // the first round only warms the compile cache
    }
  }
  const bare = median(all[0]?.times ?? []);
  return all.map(({ line: { what, atMost }, times }) => ({
    what,
    unit: "ms",
    samples: times,
    floor: bare,
    goal: atMost === undefined ? undefined : { of: "ratio", atMost },
  }));
}

interface Line {
  what: string;
  argv: readonly [string, ...string[]];
  env: Record<string, string>;
  atMost?: number | undefined;
}

/** From its start until it has ended and all it said is read. */
async function timeOnce({ what, argv, env }: Line, signal: AbortSignal): Promise<number> {
  const began = performance.now();
  const ran = await exec(argv, { env, signal });
  const took = performance.now() - began;
  signal.throwIfAborted();
  if (ran.code !== 0) throw new Error(`${what} failed: ${ran.stderr}`);
  return took;
}
