import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import { expect } from "vitest";

import type { AgentState, FleetState } from "../../src/contract/state.ts";
import { until } from "../../src/lib/wait.ts";
import type { Facts } from "../../src/status/derive.ts";
import type { Rig } from "../rig.ts";

/** What an agent looked like at one step of its timeline: the fixture from which the derivation is tested without its CLI. */
export interface Moment {
  step: string;
  expect: AgentState;
  /** When the evidence was gathered, in ms since 1970. */
  at: number;
  facts: Facts;
  /** What the adapter read to come to its answer, where that is its own pure function's input. */
  raw?: unknown;
}

type Status = FleetState["agents"][number];

/** How long after the truth `ps` may take to say it. */
const agreeMs = 1_000;
/** What one `ps` takes on a machine that has nothing else to do; where it takes longer, all else does too. */
const usualPsMs = 200;

/**
 * Walks one agent through its states on the real CLI. `act` makes something happen and returns when that is true by a
 * sign of its own (the model was asked, a dialog is on the screen, a process is gone), never by mosaic's word; from then
 * `ps --json` has a second to agree. With MOSAIC_RECORD=1 the evidence of every step becomes a fixture.
 */
export function timeline(
  rig: Rig,
  name: string,
  runtime: Status["runtime"],
  defaults: { raw?: () => unknown; file?: string } = {},
) {
  const moments: Moment[] = [];
  const lags: { step: string; ms: number }[] = [];
  let last: AgentState | undefined;
  let transitions = 0;
  let silences = 0;
  let psMs = usualPsMs;
  const within = () => ({ withinMs: agreeMs * Math.max(1, psMs / usualPsMs) });
  return {
    async step(
      step: string,
      wanted: AgentState,
      act: () => unknown,
      check: { status?: (agent: Status) => void; raw?: () => unknown; answers?: () => Promise<unknown> } = {},
    ): Promise<void> {
      await act();
      let truth = Date.now();
      let seen: Status | undefined;
      let asked = truth;
      let differs: unknown;
      const agrees = async () => {
        asked = Date.now();
        seen = await rig.agent(name);
        psMs = Date.now() - asked;
        if (seen.state !== wanted) return undefined;
        try {
          check.status?.(seen);
          return seen;
        } catch (error) {
          differs = error; // what it says beside the state has the same second
          return undefined;
        }
      };
      let agreed = await until(agrees, within());
      // Of a harness that answers nobody only `unknown` is true; the second begins again when it answers, not for ever.
      const unanswered = () => seen?.state === "unknown" && wanted !== "unknown";
      for (let again = 0; again < 5 && check.answers !== undefined && unanswered(); again++) {
        silences += 1;
        await check.answers();
        truth = Date.now();
        agreed = await until(agrees, within());
      }
      if (agreed === undefined && seen?.state === wanted) throw differs;
      if (agreed === undefined)
        throw new Error(`${step}: ${within().withinMs} ms later ps still says ${JSON.stringify(seen)}`);
      lags.push({ step, ms: asked - truth });
      if (wanted !== last) transitions += 1;
      last = wanted;
      requireTruthful(agreed);
      const { out } = await rig.fleet("explain", name, "--json");
      const { facts, state } = JSON.parse(out) as { facts: Facts; state: AgentState };
      // What moved on meanwhile (a start, a short turn) is no picture of this step.
      if (state === wanted) {
        const raw = await (check.raw ?? defaults.raw)?.();
        moments.push({ step, expect: wanted, at: Date.now(), facts, ...(raw !== undefined && { raw }) });
      }
    },

    /** Says how it went, checks that it was long enough, and writes the fixture where that was asked for. */
    end(): void {
      const worst = lags.toSorted((a, b) => b.ms - a.ms)[0];
      const silent = silences === 0 ? "" : `; did not answer for a second ${silences} times`;
      console.log(
        `${runtime}: ${transitions} transitions; slowest to agree: ${worst?.step} after ${worst?.ms} ms${silent}`,
      );
      expect(transitions).toBeGreaterThanOrEqual(40);
      if (process.env["MOSAIC_RECORD"] !== "1") return;
      const folder = join(import.meta.dirname, "..", "timelines");
      mkdirSync(folder, { recursive: true });
      // Paths and homes of the machine that recorded it are no evidence.
      const text = moments
        .map((moment) => `${JSON.stringify(moment).replaceAll(rig.root, "/home/someone")}\n`)
        .join("");
      writeFileSync(join(folder, `${defaults.file ?? runtime}.jsonl`), text);
    },
  };
}

/** Whatever the step: nothing without a living process is healthy, idle or working. */
function requireTruthful(agent: Status): void {
  if (agent.pid !== null) return;
  expect(["idle", "working", "running"]).not.toContain(agent.state);
  expect(agent.heartbeat.health).not.toBe("healthy");
}
