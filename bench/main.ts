import { cpus, loadavg } from "node:os";
import { parseArgs } from "node:util";

import { FleetError, exitCodes } from "../src/lib/errors.ts";
import { measureChat } from "./chat.ts";
import { countChildren } from "./children.ts";
import { measureCrash } from "./crash.ts";
import { checkBuild, layGround, type Ground } from "./ground.ts";
import { startLiveFleet } from "./live-fleet.ts";
import { measureEnqueue } from "./mail.ts";
import { measureMemory } from "./memory.ts";
import { layPaperFleets } from "./paper-fleet.ts";
import { measureRealFleet } from "./real-fleet.ts";
import { judge, renderRows, type Judged, type Row } from "./rows.ts";
import { measureStartup } from "./startup.ts";

/** Measures the built product against its goals, all in one run on this machine. */

const sections = ["startup", "children", "memory", "crash", "chat", "mail", "real"] as const;
type Section = (typeof sections)[number];

const sizes = [10, 100, 500];
const liveSize = 20;

const usage = `Usage: npm run bench -- [--rounds N] [--only ${sections.join(",")}] [--json]

  --rounds N   cold starts of each command (default 15)
  --only LIST  these sections alone
  --json       the rows as JSON
`;

interface Options {
  rounds: number;
  only: readonly Section[];
  json: boolean;
  help: boolean;
}

function parseOptions(argv: readonly string[]): Options {
  const hint = "npm run bench -- --help";
  const parse = () =>
    parseArgs({
      args: [...argv],
      options: {
        rounds: { type: "string", default: "15" },
        only: { type: "string", default: sections.join(",") },
        json: { type: "boolean", default: false },
        help: { type: "boolean", default: false },
      },
    }).values;
  let values: ReturnType<typeof parse>;
  try {
    values = parse();
  } catch (error) {
    throw new FleetError("usage", error instanceof Error ? error.message : String(error), { hint });
  }
  const rounds = Number(values.rounds);
  if (!Number.isInteger(rounds) || rounds < 1) {
    throw new FleetError("usage", `--rounds needs a whole number from 1, not ${values.rounds}.`, { hint });
  }
  const only = values.only.split(",").map((word) => {
    const section = sections.find((one) => one === word);
    if (section === undefined) throw new FleetError("usage", `There is no section ${word}.`, { hint });
    return section;
  });
  return { rounds, only, json: values.json, help: values.help };
}

/** The sections asked for, in their own order; those that look at the same fleet share it. */
async function measure(ground: Ground, only: readonly Section[]): Promise<Row[]> {
  const rows: Row[] = [];
  const wants = (...some: Section[]) => some.some((one) => only.includes(one));
  if (wants("startup", "children")) {
    const fleets = await layPaperFleets(ground, sizes);
    if (wants("startup")) rows.push(...(await measureStartup(ground, fleets)));
    if (wants("children")) rows.push(...(await countChildren(ground, fleets)));
  }
  if (wants("memory", "crash", "chat")) {
    const fleet = await startLiveFleet(ground, liveSize);
    if (wants("memory")) rows.push(...(await measureMemory(ground, fleet)));
    if (wants("crash")) rows.push(...(await measureCrash(ground, fleet)));
    if (wants("chat")) rows.push(...(await measureChat(ground, fleet)));
  }
  if (wants("mail")) rows.push(...measureEnqueue(ground));
  if (wants("real")) rows.push(...(await measureRealFleet(ground)));
  return rows;
}

async function run(argv: readonly string[], signal: AbortSignal): Promise<void> {
  const { rounds, only, json, help } = parseOptions(argv);
  if (help) return void process.stdout.write(usage);
  const tell = (line: string) => void process.stderr.write(`${line}\n`);
  checkBuild(tell);
  const machine = { node: process.version, cores: cpus().length, load: loadavg()[0] ?? 0 };
  await using undoing = new AsyncDisposableStack();
  const ground = layGround({ rounds, signal, tell }, undoing, process.env["PATH"] ?? "/usr/local/bin:/usr/bin:/bin");
  const rows = (await measure(ground, only)).map(judge);
  const count = (verdict: Judged["verdict"]) => rows.filter((row) => row.verdict === verdict).length;
  if (json)
    return void process.stdout.write(`${JSON.stringify({ version: 1, ...machine, rounds, rows }, undefined, 2)}\n`);
  process.stdout.write(
    `\nNode ${machine.node}, ${machine.cores} cores, load ${machine.load.toFixed(2)} at the start\n\n`,
  );
  const sum = `Goals: ${count("met")} met, ${count("missed")} missed, ${count("not measured")} not measured.`;
  process.stdout.write(`${renderRows(rows)}\n${sum}\n`);
}

const stopper = new AbortController();
// Listening stays on while it cleans up: a second Ctrl-C must not leave agents behind.
for (const name of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(name, () => stopper.abort());
try {
  await run(process.argv.slice(2), stopper.signal);
} catch (error) {
  const fault =
    stopper.signal.aborted && !(error instanceof SuppressedError)
      ? new FleetError("cancelled", "Cancelled; everything is cleaned up.")
      : error;
  process.exitCode = fault instanceof FleetError ? exitCodes[fault.code] : 1;
  process.stderr.write(`${fault instanceof FleetError ? fault.message : String((fault as Error).stack ?? fault)}\n`);
  if (fault instanceof FleetError && fault.hint !== undefined) process.stderr.write(`Next: ${fault.hint}\n`);
}
