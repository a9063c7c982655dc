import type { Choice } from "../connector/connector.ts";
import type { Approval, Decision } from "../contract/command.ts";
import { visible } from "../lib/text.ts";
import { askerOf } from "./commands.ts";
import { atOnceOrWithin, type Heard } from "./ledger.ts";
import { ownersChat } from "./owner.ts";
import type { Parts } from "./parts.ts";
import { openPrompts, type Prompt } from "./prompts.ts";
import { repliesTo } from "./replies.ts";
import { approvalText, askedText, decidedText, errorText } from "./words.ts";

/**
 * Puts every question that agents wait with before the owner, in each account once, and takes it away where it was
 * answered elsewhere: in a terminal, on the command line, in another chat.
 */
export function putApprovals(parts: Parts, open: readonly Approval[]): void {
  const { ledger, now } = parts;
  const prompts = openPrompts(ledger);
  for (const wiring of parts.wirings()) {
    const chat = ownersChat(parts, wiring);
    if (chat === undefined) continue;
    for (const approval of open) {
      if (approval.id === null) continue; // its terminal is the only place
      const prompt = prompts.put(approval, { account: wiring.account, chat }, now());
      if (prompt.fresh || parts.outbox.find(keyOf(prompt)) === undefined) ask(parts, prompt, approval);
      // Its agent could not be asked for a moment, and waits still.
      else if (prompt.state === "gone" && now() < prompt.expiresAt) askAgain(parts, prompt, approval);
    }
  }
  for (const prompt of prompts.open()) {
    const still = open.some((one) => isSame(one, prompt));
    if (still && now() < prompt.expiresAt) continue;
    if (still) close(parts, prompt, "expired", "Too old to be answered here: mosaic fleet approvals");
    else close(parts, prompt, "gone", goneText(open, prompt));
  }
}

/** Why a question can be answered no more. */
const overText = {
  decided: "it was decided already",
  gone: "it was answered elsewhere, or is asked no longer",
  expired: "it is too old to be answered here; see: mosaic fleet approvals",
} as const satisfies Record<Exclude<Prompt["state"], "open">, string>;

/** With the one that denies they fit in a row everywhere. */
const mostAnswers = 4;

const keyOf = ({ token }: Prompt): string => `prompt ${token}`;
const isSame = (approval: Approval, { agent, permission, what }: Prompt): boolean =>
  approval.agent === agent && approval.id === permission && approval.what === what;

/** What only a terminal can answer has no id: whether it is the same question nobody can say. */
const goneText = (open: readonly Approval[], { agent }: Prompt): string =>
  open.some((one) => one.agent === agent && one.id === null)
    ? "Answered elsewhere, or now asked in its terminal."
    : "Answered elsewhere, or asked no longer.";

function ask({ outbox, now }: Parts, prompt: Prompt, approval: Approval): void {
  const { account, chat } = prompt;
  outbox.say(account, { chat }, keyOf(prompt), { kind: "text", ...offerOf(prompt, approval) }, now());
}

function askAgain({ ledger, outbox, now }: Parts, prompt: Prompt, approval: Approval): void {
  const { account, chat, token } = prompt;
  const of = keyOf(prompt);
  ledger.database.atOnce(() => {
    openPrompts(ledger).move(token, "open", now());
    outbox.say(account, { chat }, `${of} again ${now()}`, { kind: "edit", of, ...offerOf(prompt, approval) }, now());
  });
}

/** One button for each answer, where one question takes one answer and there are not too many; else it is written. */
function offerOf({ token, code }: Prompt, approval: Approval) {
  const { questions } = approval;
  const choice = (word: string | number, label: string, style: Choice["style"]): Choice => ({
    id: `${word} ${token}`,
    label,
    style,
  });
  if (questions === undefined) {
    const choices = [choice("allow", "Allow once", "ok"), choice("deny", "Deny", "danger")];
    return { text: `${approvalText(approval)}\nIn words: ${writtenText(code, approval)}`, choices };
  }
  const [first, ...more] = questions;
  const labels = first === undefined || first.several || more.length > 0 ? [] : first.options.map(({ label }) => label);
  const buttons =
    labels.length > mostAnswers
      ? []
      : labels.map((label, at) => choice(at + 1, visible(label) || `${at + 1}`, "plain"));
  return {
    text: `${approvalText(approval)}\nIn words: ${writtenText(code, approval)}`,
    choices: [...buttons, choice("deny", "Do not answer", "danger")],
  };
}

/** How a question is answered by its code. */
function writtenText(code: string, { questions }: Approval): string {
  if (questions === undefined) return `/approve ${code} or /deny ${code}`;
  const example = questions.map(({ several }) => (several ? "1,2" : "1")).join("; ");
  return `/answer ${code} ${example} (or your own words)`;
}

/** `/approvals`: whatever agents wait with, each with the way in which it can be answered from here. */
export async function approvalsText({ fleet, ledger }: Parts, { account, chat }: Heard): Promise<string> {
  const open = await fleet.approvals();
  if (open.length === 0) return "Nobody waits to be allowed anything.";
  const here = openPrompts(ledger)
    .open()
    .filter((one) => one.account === account && one.chat === chat);
  const how = (approval: Approval): string => {
    const prompt = here.find((one) => isSame(approval, one));
    if (prompt !== undefined) return `Write: ${writtenText(prompt.code, approval)}`;
    return approval.id === null
      ? `Only its terminal can answer: mosaic fleet attach ${approval.agent}`
      : "It cannot be answered from here: mosaic fleet approvals";
  };
  return open.map((approval) => `${approvalText(approval)}\n${how(approval)}`).join("\n\n");
}

/** Takes the choices away and says why, in one transaction with what has become of the question. */
function close(
  { ledger, outbox, now }: Pick<Parts, "ledger" | "outbox" | "now">,
  prompt: Prompt,
  state: Prompt["state"],
  word: string,
): void {
  const { account, chat, token } = prompt;
  const of = keyOf(prompt);
  const text = `${askedText(prompt)}\n${word}`;
  atOnceOrWithin(ledger.database, () => {
    openPrompts(ledger).move(token, state, now());
    outbox.say(account, { chat }, `${of} over ${now()}`, { kind: "edit", of, text, choices: [] }, now());
  });
}

/**
 * Somebody chose, or wrote a code. Judged anew at this moment: it must be an owner, the question must be the very one that
 * was put here, still open, and not too old. The first answer counts, wherever it came from.
 */
export async function decide(
  parts: Parts,
  row: Heard,
  given: string,
  typed?: "allow" | "deny" | { text: string },
): Promise<void> {
  const { ledger, fleet, now } = parts;
  const prompts = openPrompts(ledger);
  const [, pressed = "deny", token] = /^(allow|deny|\d) (\S+)$/.exec(given) ?? [];
  const meant = typed ?? (pressed === "allow" || pressed === "deny" ? pressed : { text: pressed });
  const verb = typeof meant === "object" ? "answer" : meant;
  const prompt = prompts.find(row.account, token ?? given);
  const end = (word: string, how: { onPrompt?: true } = {}) => {
    const { account, chat, id, seq, speaker } = row;
    const replies = repliesTo(parts, row);
    const note = `${prompt?.agent ?? ""} ${prompt?.what ?? ""}`.trim().slice(0, 200);
    const verdict = `${verb}: ${word}`.slice(0, 200);
    ledger.database.atOnce(() => {
      // Whoever pressed a button reads the result on the question itself; whoever wrote, or was refused, gets a line.
      if (typed !== undefined || !how.onPrompt) replies.say(replies.key("reply"), word);
      ledger.audit({ at: now(), account, chat, speaker, message: `${id} ${seq}`, decision: verdict, note });
      ledger.mark(row.seq, "done");
    });
  };
  if (row.standing !== "owner") return end("Only an owner may decide that.");
  if (prompt === undefined || prompt.chat !== row.chat) return end("There is no such question here. See /approvals.");
  // A kill came between the decision and the note of it: it was carried out then, or somebody was faster.
  if (row.state === "begun" && !(await fleet.approvals()).some((one) => isSame(one, prompt))) {
    const word = `It is over; mosaic was restarted while you decided (${verb}).`;
    if (prompt.state === "open") close(parts, prompt, "gone", word);
    return end(word);
  }
  if (prompt.state !== "open") return end(`That is over: ${overText[prompt.state]}.`);
  if (now() >= prompt.expiresAt)
    return end("That question is too old to be answered here. See: mosaic fleet approvals");
  const open = await fleet.approvals();
  const asked = open.find((one) => isSame(one, prompt));
  if (asked === undefined) {
    close(parts, prompt, "gone", goneText(open, prompt));
    return end("It was answered elsewhere.");
  }
  const decision: Decision =
    typeof meant === "object"
      ? { answers: (asked.questions?.length ?? 1) > 1 ? meant.text.trim().split(/\s*[;\n]\s*/) : [meant.text] }
      : meant;
  ledger.mark(row.seq, "begun");
  try {
    await fleet.control.run({ do: "answer", id: `${prompt.agent}/${prompt.permission}`, decision, by: askerOf(row) });
  } catch (error) {
    return end(errorText(error, row.standing));
  }
  const word = `${decidedText(decision)} by ${row.speakerName.slice(0, 40)} on ${row.account}.`;
  closeDecided(parts, prompt, word);
  return end(word, { onPrompt: true });
}

/** A question was decided: every chat that shows it shows how. */
export function closeDecided(
  parts: Pick<Parts, "ledger" | "outbox" | "now">,
  question: Pick<Prompt, "agent" | "permission" | "what">,
  word: string,
): void {
  for (const one of openPrompts(parts.ledger).siblings(question)) {
    // Seen to be gone a moment ago, when the answer had begun to work: that was this one.
    if (one.state === "open" || one.state === "gone") close(parts, one, "decided", word);
  }
}
