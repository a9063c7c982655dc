import type { Approval, Decision } from "../contract/command.ts";
import { openApprovals, questionNamed } from "../fleet/approvals.ts";
import { observe } from "../fleet/observe.ts";
import { FleetError } from "../lib/errors.ts";
import { age, painter, table, tame } from "../lib/text.ts";
import type { Context } from "./context.ts";
import { printJson } from "./print-json.ts";

/** `approvals`: what agents wait to be allowed, or to be told. */
export async function approvals(context: Context, options: { json?: true | undefined }): Promise<number> {
  const { world } = context;
  const { roster, agents } = await observe(world);
  const open = await openApprovals(world, roster.fleet, agents);
  if (options.json) {
    printJson(context, { version: 1, approvals: open });
    return 0;
  }
  if (open.length === 0) {
    context.err("No agent waits for a permission.\n");
    return 0;
  }
  const paint = painter(context.color);
  const now = world.now();
  const head = ["ID", "AGE", "WHAT", "WHY"].map((word) => paint("bold", word));
  const rows = open.map((one) => [
    one.id === null ? `${one.agent} (in its terminal)` : `${one.agent}/${one.id}`,
    age(Math.max(0, now - Date.parse(one.at))),
    tame(whatOf(one)).replaceAll(/\s+/g, " "),
    tame(one.reason ?? "-"),
  ]);
  context.out(table([head, ...rows], context.columns));
  const first = open.find((one) => one.id !== null && one.questions === undefined);
  const asked = open.find((one) => one.id !== null && one.questions !== undefined);
  const inTerminal = open.find((one) => one.id === null);
  if (first !== undefined) context.err(`Next: mosaic fleet approvals allow ${first.agent}/${first.id}   (or deny)\n`);
  if (asked !== undefined) {
    const answers = asked.questions?.map(({ several }) => (several ? "1,2" : "1")).join(" ");
    context.err(
      `Next: mosaic fleet approvals answer ${asked.agent}/${asked.id} ${answers}   (or in your own words; or deny)\n`,
    );
  }
  if (inTerminal !== undefined) context.err(`Next: mosaic fleet attach ${inTerminal.agent}\n`);
  return 0;
}

const whatOf = ({ what, questions }: Approval): string =>
  questions === undefined
    ? what
    : questions
        .map(({ text, options }) => `${text} (${options.map(({ label }, at) => `${at + 1} ${label}`).join(", ")})`)
        .join(" ");

/** `approvals allow`, `approvals deny`, `approvals answer`. */
export async function decide(context: Context, decision: Decision, id: string): Promise<number> {
  // An agent's name means whatever it asks by now: who is there to read it reads it before it is allowed.
  const one = decision === "allow" && context.interactive && !id.includes("/") ? await agreedTo(context, id) : id;
  const outcome = await context.control.run({ by: context.by, do: "answer", id: one, decision });
  if (outcome.did === "answer") {
    const { agent, what } = outcome.approval;
    const said = typeof decision === "object" ? "was answered" : decision === "allow" ? "may" : "may not";
    context.err(`${agent} ${said}: ${tame(what).replaceAll(/\s+/g, " ")}\n`);
  }
  return 0;
}

/** The id of the one question that was shown and agreed to. */
async function agreedTo({ world }: Context, name: string): Promise<string> {
  const { roster, agents } = await observe(world);
  const { agent, id, what } = questionNamed(await openApprovals(world, roster.fleet, agents), name, { whole: false });
  const { agreed } = await import("./questions.ts");
  if (await agreed(`${agent} asks: ${tame(what)}\nAllow that?`)) return `${agent}/${id}`;
  throw new FleetError("cancelled", "Nothing was answered.", { hint: `mosaic fleet approvals deny ${agent}/${id}` });
}
