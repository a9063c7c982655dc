import type { Command } from "../contract/command.ts";
import type { Sender } from "../contract/message-names.ts";
import type { Message } from "../contract/message.ts";
import { FleetError } from "../lib/errors.ts";
import { pause } from "../lib/wait.ts";
import { accept } from "../mail/accept.ts";
import { asMessage, type Letter } from "../mail/letter.ts";
import type { Store } from "../mail/store.ts";
import { letterNamed, withMail } from "./mailbox.ts";
import { namedAgent } from "./names.ts";
import type { Observed } from "./observe.ts";
import { deliverTo } from "./post.ts";
import type { World } from "./world.ts";

type Of<Do extends Command["do"]> = Extract<Command, { do: Do }>;

/** How long a sender waits for another deliverer of the same agent before it leaves the message to that one. */
const patienceMs = 10_000;
/** How long an answer may take once a message that asks for one is delivered, before somebody is reminded of it. */
const answerWithinMs = 30 * 60_000;

/** Keeps a message for each receiver, and brings it to those that can take it now. Accepted is accepted: it stays. */
export async function send(
  world: World,
  command: Of<"send">,
  seen: { agents: readonly Observed[] },
): Promise<Message[]> {
  const from = senderOf(world, command.by);
  const names = receivers(command, seen.agents, from);
  if (names.length > 1 && (command.id !== undefined || command.key !== undefined)) {
    throw new FleetError("usage", "An id or a key is for one receiver.", { hint: "send to each by name" });
  }
  return withMail(world, async (store) => {
    const letters = names.map((to) => {
      const { mode, text: body, replyTo, id, key, expireMs, wait } = command;
      const expiresAt = expireMs === undefined ? undefined : world.now() + expireMs;
      const owed = wait?.for === "answered" || from.kind === "agent" ? answerWithinMs : undefined;
      return accept(store, { to, from, mode, body, replyTo, id, key, expiresAt, answerWithinMs: owed }, world.now());
    });
    await Promise.all(letters.map((letter) => deliverNow(world, store, letter)));
    if (command.wait !== undefined) await waitFor(world, store, letters, command.wait);
    return letters.map((letter) => told(world, store, letter));
  });
}

/** Tries a message once more, or takes back one that is not delivered yet. An agent may do so with its own. */
export function again(world: World, command: Of<"retry" | "cancel">): Promise<Message> {
  return withMail(world, async (store) => {
    const letter = letterNamed(store, command.message);
    const from = senderOf(world, command.by);
    if (from.kind === "agent" && (letter.from.kind !== "agent" || letter.from.name !== from.name)) {
      throw new FleetError("conflict", `${letter.id} is not ${from.name}'s message.`, { hint: "mosaic fleet inbox" });
    }
    if (letter.deliveredAt !== undefined || letter.state === "typed" || letter.state === "answered") {
      throw new FleetError("conflict", `${letter.id} is ${letter.state}; it cannot be taken back or sent again.`, {
        hint: `mosaic fleet inbox show ${letter.id}`,
      });
    }
    // What its harness has it may read at any moment; taken back is only what nobody has.
    if (command.do === "cancel" && !letter.closed && !(await takenBack(world, store, letter.id))) {
      throw new FleetError("conflict", `${letter.to} has ${letter.id} already; it cannot be taken back.`, {
        hint: `mosaic fleet interrupt ${letter.to}`,
      });
    }
    if (command.do === "retry") {
      store.retry(letter.id, world.now());
      await deliverNow(world, store, letter);
    }
    return told(world, store, letter);
  });
}

/** How long a message that is just being tried is waited for: whether its harness took it is clear a moment later. */
const triedMs = 3_000;

async function takenBack(world: World, store: Store, id: string): Promise<boolean> {
  const deadline = world.now() + triedMs;
  while (!store.takeBack(id, world.now())) {
    if (store.find(id)?.handedTo !== "?" || world.now() >= deadline) return false;
    await pause(20);
  }
  return true;
}

/** Who writes, as the receiver is told. */
function senderOf(world: World, by: Command["by"]): Sender {
  switch (by.kind) {
    case "agent":
      return { kind: "agent", name: by.name };
    case "chat":
      return { kind: by.standing === "owner" ? "owner" : "chat", name: by.name };
    case "person":
      return { kind: "person", name: world.user };
  }
}

function receivers({ to }: Of<"send">, agents: readonly Observed[], from: Sender): string[] {
  if (Array.isArray(to)) return [...new Set(to as string[])].map((name) => namedAgent(agents, name).agent.name);
  const named = agents.filter(
    ({ agent, managed }) =>
      managed &&
      (typeof to === "string" || !("role" in to) || agent.role === to.role) &&
      !(from.kind === "agent" && agent.name === from.name),
  );
  if (named.length === 0) throw new FleetError("not-found", "Nobody is there to get it.", { hint: "mosaic fleet ps" });
  return named.map(({ agent }) => agent.name);
}

/** Delivers now where that is possible; where somebody else delivers to that agent, that one takes it along. */
async function deliverNow(world: World, store: Store, { id, to }: Letter): Promise<void> {
  const deadline = world.now() + patienceMs;
  while ((await deliverTo(world, store, to)) === undefined && world.now() < deadline) {
    if (hasMoved(store.find(id))) return;
    await pause(20);
  }
}

const hasMoved = (letter: Letter | undefined): boolean =>
  letter === undefined || letter.closed || letter.deliveredAt !== undefined || letter.reason !== undefined;

/** Waits until each is there or can get there no more. It delivers itself, so it needs no daemon. */
async function waitFor(
  world: World,
  store: Store,
  letters: readonly Letter[],
  wait: NonNullable<Of<"send">["wait"]>,
): Promise<void> {
  const deadline = world.now() + wait.ms;
  const isOver = ({ id }: Letter) => {
    const now = store.find(id);
    if (now === undefined || now.closed) return true;
    // A turn that broke gives no answer, unless somebody takes it up again.
    if (now.state === "acted" && now.reason !== undefined) return true;
    return wait.for === "delivered" && now.deliveredAt !== undefined;
  };
  for (;;) {
    const open = letters.filter((letter) => !isOver(letter));
    if (open.length === 0 || world.now() >= deadline) return;
    await pause(100);
    await Promise.all(open.map(({ to }) => deliverTo(world, store, to)));
  }
}

function told(world: World, store: Store, { id }: Letter): Message {
  const letter = letterNamed(store, id);
  const from = letter.from.kind === "person" ? "a person" : letter.from.name;
  world.log({ agent: letter.to, event: `message-${letter.state}`, note: `${id} from ${from}` });
  return asMessage(letter);
}
