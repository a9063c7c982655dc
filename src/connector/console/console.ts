import type { ConsoleDoor, ConsoleLine } from "../../contract/console.ts";
import { FleetError } from "../../lib/errors.ts";
import type { Connector, Inbound, Intake, Out, Sent } from "../connector.ts";
import { openLines, type Lines, type NewLine } from "./lines.ts";

/** Of one text, in UTF-16 units. */
const longest = 100_000;

/** Its one chat, and the one who talks there: whoever may use this socket is the person of this machine. */
export const consoleChat = "console";
export const consoleOwner = "local";

/** How many lines may wait for one who looks. */
const mostWaiting = 1_000;

/**
 * The chat of this machine, which needs no account: the same core, contract and commands as every other. What is said while
 * nobody looks is kept, and shown when somebody does.
 */
export function consoleConnector(path: string, name: string, now: () => number): Connector & { door: ConsoleDoor } {
  let opened: Lines | undefined;
  /** Open while somebody listens or looks. */
  const lines = () => (opened ??= openLines(path));
  const followers = new Set<(line: ConsoleLine) => void>();
  let intake: Intake | undefined;
  let lastOrder = 0n;

  function put(key: string, line: NewLine): void {
    const kept = lines().add(key, line, now());
    if (kept !== undefined) for (const tell of followers) tell(kept);
  }

  function hear(what: Pick<Inbound, "id" | "kind" | "text" | "choice" | "revision" | "replyTo">): void {
    if (intake === undefined) {
      throw new FleetError("unreachable", "The chat of this machine is not up.", { hint: "mosaic fleet serve" });
    }
    const at = now();
    // Two lines of one millisecond have an order too, and a clock that is set back turns none around.
    lastOrder = BigInt(at) * 1_000n > lastOrder ? BigInt(at) * 1_000n : lastOrder + 1n;
    const speaker = { id: consoleOwner, name, isBot: false, isSelf: false };
    intake.admit([
      { chat: consoleChat, order: lastOrder, at, speaker, isDirect: false, isToUs: true, files: [], ...what },
    ]);
  }

  return {
    platform: "console",
    capabilities: {
      maxText: longest,
      edit: true,
      mark: true,
      typing: true,
      choices: true,
      idempotentMs: Infinity,
      maxFile: 0,
      editEveryMs: 0,
      perSecond: 1_000,
    },
    async run({ intake: given, signal, tell }) {
      intake = given;
      lastOrder = lines().lastOrder();
      given.release(consoleChat);
      tell({ state: "up", since: now(), aliveAt: now() });
      await new Promise<void>((resolve) => {
        if (signal.aborted) resolve();
        signal.addEventListener("abort", () => resolve(), { once: true });
      });
      intake = undefined;
      opened?.close();
      opened = undefined;
    },
    async send(out: Out): Promise<Sent> {
      if (out.kind === "typing") {
        for (const tell of followers) tell({ seq: lines().last(), at: now(), kind: "typing" });
        return { kind: "sent", ids: [] };
      }
      if (out.kind === "text" && out.text.length > longest) return { kind: "never", why: "this text is too long" };
      if (out.kind === "mark" && !lines().has(`said ${out.message}`))
        return { kind: "never", why: "nobody has said that here" };
      put(out.key, lineOf(out));
      return { kind: "sent", ids: [out.key] };
    },
    probe: async () => ({ self: { id: "mosaic", name: "mosaic", isBot: true, isSelf: true }, warnings: [] }),
    fetch: () => Promise.reject(new FleetError("conflict", "No files are sent to this machine's own chat.")),
    door: {
      async say({ id, text, replyTo }) {
        hear({ id, kind: "message", text, replyTo });
        put(`said ${id}`, { kind: "said", id, name, text });
      },
      async choose({ id, message, choice }) {
        hear({ id: message, kind: "press", text: "", choice, revision: id });
      },
      async *follow(last, signal) {
        const waiting: ConsoleLine[] = [];
        let ring = () => {};
        const leave = () => ring();
        const tell = (line: ConsoleLine) => {
          waiting.push(line);
          // Who reads too slowly (a terminal that was suspended) comes back for the rest; it is kept in the database.
          if (waiting.length > mostWaiting) followers.delete(tell);
          ring();
        };
        followers.add(tell);
        signal.addEventListener("abort", leave);
        try {
          yield* lines().newest(last);
          while (!signal.aborted) {
            yield* waiting.splice(0);
            if (waiting.length > 0 || signal.aborted) continue;
            if (!followers.has(tell)) return;
            await new Promise<void>((resolve) => (ring = resolve));
          }
        } finally {
          followers.delete(tell);
          signal.removeEventListener("abort", leave);
        }
      },
    },
  };
}

function lineOf(out: Exclude<Out, { kind: "typing" }>): NewLine {
  switch (out.kind) {
    case "text":
      return { kind: "text", id: out.key, text: out.text, choices: shown(out.choices), replyTo: out.replyTo ?? null };
    case "edit":
      return { kind: "edit", of: out.message, text: out.text, choices: shown(out.choices) };
    case "mark":
      return { kind: "mark", of: out.message, mark: out.mark };
    case "file":
      return { kind: "file", id: out.key, path: out.path, name: out.name, text: out.text ?? null };
  }
}

const shown = (choices: readonly { id: string; label: string }[] | undefined) =>
  (choices ?? []).map(({ id, label }) => ({ id, label }));
