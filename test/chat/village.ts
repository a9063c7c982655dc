import type { Connector, Inbound, Intake, Out, Sent } from "../../src/connector/connector.ts";
import type { Wiring } from "../../src/contract/connector.ts";

/** A chat service in memory: what is said there is handed in, and what is sent there is kept, each key once. */
export interface Village {
  connector: Connector;
  /** What arrived, in order. */
  sent: Out[];
  /** Somebody says something; answers the verdict. */
  say(text: string, more?: Partial<Inbound> & { by?: string }): string;
  /** What the next attempts come to; then they succeed. */
  fail(...results: (Sent | "hang")[]): void;
  /** Texts that people read there now: edits have changed them. */
  read(): string[];
  intake(): Intake;
}

export const wiring: Wiring = {
  account: "village",
  platform: "discord",
  agent: undefined,
  url: undefined,
  guild: undefined,
  channels: ["square"],
  owners: ["owner"],
  users: ["user"],
  mention: false,
};

let order = 1n;

export function makeVillage(capabilities: Partial<Connector["capabilities"]> = {}): Village {
  const sent: Out[] = [];
  const keys = new Set<string>();
  const results: (Sent | "hang")[] = [];
  let intake: Intake | undefined;
  const here = () => {
    if (intake === undefined) throw new Error("the village is not connected");
    return intake;
  };
  return {
    sent,
    intake: here,
    fail: (...next) => void results.push(...next),
    say(text, { by = "owner", ...more } = {}) {
      order++;
      const inbound: Inbound = {
        chat: "square",
        id: `m${order}`,
        order,
        at: Date.now(),
        kind: "message",
        speaker: { id: by, name: by, isBot: false, isSelf: false },
        isDirect: false,
        isToUs: false,
        text,
        files: [],
        ...more,
      };
      return here().admit([inbound])[0] ?? "";
    },
    read() {
      const texts = new Map<string, string>();
      for (const out of sent) {
        if (out.kind === "text") texts.set(`id ${out.key}`, out.text);
        if (out.kind === "edit") texts.set(out.message, out.text);
      }
      return [...texts.values()];
    },
    connector: {
      platform: "discord",
      capabilities: {
        maxText: 2_000,
        edit: true,
        mark: true,
        typing: true,
        choices: true,
        idempotentMs: 120_000,
        maxFile: 1_000_000,
        editEveryMs: 0,
        perSecond: 100_000,
        ...capabilities,
      },
      async run({ intake: given, signal, tell }) {
        intake = given;
        given.release("square");
        tell({ state: "up", since: Date.now(), aliveAt: Date.now() });
        await new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve(), { once: true }));
      },
      async send(out, signal) {
        const next = results.shift();
        if (next === "hang") {
          await new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve(), { once: true }));
          return { kind: "unknown", why: "no answer" };
        }
        if (next !== undefined && next.kind !== "sent") return next;
        if (!keys.has(out.key)) sent.push(out);
        keys.add(out.key);
        return { ...next, kind: "sent", ids: [`id ${out.key}`] };
      },
      probe: async () => ({ self: { id: "us", name: "us", isBot: true, isSelf: true }, warnings: [] }),
      fetch: async (file) => new TextEncoder().encode(`content of ${file.name}`),
    },
  };
}
