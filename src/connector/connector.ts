import type { Health, Platform, Wiring } from "../contract/connector.ts";

/** Who said something. `id` is stable; `name` is for people's eyes and decides nothing. */
export interface Speaker {
  id: string;
  name: string;
  isBot: boolean;
  /** We ourselves: an echo. */
  isSelf: boolean;
}

/** A file that somebody sent. Nothing is fetched until somebody asks. */
export interface Attachment {
  name: string;
  mime: string;
  bytes: number;
  url: string;
}

/** Something that happened in a chat. */
export interface Inbound {
  /** The channel or direct chat where access is decided; of a thread, the channel above it. */
  chat: string;
  thread?: string | undefined;
  /** The message's id at the platform: what makes a second delivery the same one. */
  id: string;
  /** The platform's own order within its chat; grows. At most 63 bits. */
  order: bigint;
  /** When it was said, by the platform's clock. */
  at: number;
  /**
   * `press`: somebody chose one of the offered choices. `word`: somebody took a word from the platform's own list, which leaves
   * no message that could be marked or replied to. An `edit` has the message's id and a new `revision`; a `delete` has no text.
   */
  kind: "message" | "word" | "edit" | "delete" | "press";
  /** What tells two edits or presses of one message apart. */
  revision?: string | undefined;
  speaker: Speaker;
  /** One-to-one with us. */
  isDirect: boolean;
  /** It names us, or replies to us. */
  isToUs: boolean;
  text: string;
  replyTo?: string | undefined;
  /** Of a press: the choice's id. */
  choice?: string | undefined;
  files: readonly Attachment[];
}

/** One answer that a prompt offers. */
export interface Choice {
  /** At most 64 bytes. */
  id: string;
  label: string;
  style: "ok" | "danger" | "plain";
}

/** What a mark on a message says; each platform has its own picture for it. */
const marks = ["heard", "done", "failed"] as const;
export type Mark = (typeof marks)[number];

/** Where something is to be said. */
export interface Target {
  chat: string;
  thread?: string | undefined;
}

/** One thing to be done at the platform. `key` is the same at every attempt, and never that of another. */
export type Out = Target & { key: string } & (
    | { kind: "text"; text: string; replyTo?: string | undefined; choices?: readonly Choice[] | undefined }
    /** Replaces a message of ours, its choices too. */
    | { kind: "edit"; message: string; text: string; choices?: readonly Choice[] | undefined }
    | { kind: "mark"; message: string; mark: Mark }
    | { kind: "typing" }
    | { kind: "file"; path: string; name: string; text?: string | undefined; replyTo?: string | undefined }
  );

/**
 * What became of one attempt. `ids`: what the platform calls it; `restMs`: for so long that chat takes nothing more.
 * `later`: not taken, try again, not before `afterMs`, and with `wholeAccount` nothing else of this account either.
 * `never`: it will not be taken, whoever tries how often. `unknown`: it may have been taken.
 */
export type Sent =
  | { kind: "sent"; ids: readonly string[]; restMs?: number | undefined }
  | { kind: "later"; why: string; afterMs?: number | undefined; wholeAccount?: boolean | undefined }
  | { kind: "never"; why: string }
  | { kind: "unknown"; why: string };

/** What the platform can do, and its limits. */
export interface Capabilities {
  /** Of one text, in UTF-16 units. */
  maxText: number;
  edit: boolean;
  mark: boolean;
  typing: boolean;
  choices: boolean;
  /** For so long the same key twice is one message, also after a crash of ours; 0 where it never is. */
  idempotentMs: number;
  /** Of one file, in bytes; 0 where it takes none. */
  maxFile: number;
  /** At least so many ms between two edits of one message. */
  editEveryMs: number;
  /** At most so many attempts of one account within a second, over all its chats. */
  perSecond: number;
}

/** What was made of something that came in. `refused`: nobody here may know of it. */
export type Verdict = "new" | "known" | "refused";

/** The core, as a connector sees it. What it is handed is durable when the call returns, and only then may the platform be told. */
export interface Intake {
  /** Keeps what came in, in this order, and the cursor with it, in one transaction. A verdict for each. */
  admit(batch: readonly Inbound[], cursor?: { key: string; value: string }): Verdict[];
  cursor(key: string): string | undefined;
  /**
   * While a chat is held, what comes in is kept and nothing of it is handed on: the order is only known once what was
   * missed has been fetched. Every configured and every known chat is held when a connector starts, until it is released.
   */
  hold(chat: string): void;
  release(chat: string): void;
  /** The chats of which something has ever come in, and the newest id of each. */
  known(): ReadonlyMap<string, string>;
}

/** A word for the fleet itself. However somebody says it there, it comes in as text: `/word`, and behind it what it wants. */
export interface Word {
  /** Lower case letters. */
  word: string;
  /** One line, at most 100 characters. */
  about: string;
  /** In this order, what must be there first. */
  wants: readonly { name: string; about: string; isNeeded: boolean }[];
}

/** What a connector is given to live on. */
export interface Surroundings {
  intake: Intake;
  /** What a platform that has a list of such words shows its people. */
  words: readonly Word[];
  signal: AbortSignal;
  /** How the transport stands; called at every change, once. */
  tell: (health: Health) => void;
  log: (event: string, note: string) => void;
}

/** What a connection's test found. Every warning names what to do. */
export interface Probe {
  /** Who we are there. */
  self: Speaker;
  warnings: readonly string[];
}

/**
 * One account at one chat service. It translates, and nothing else: the core owns the queue, the order of sending, retries,
 * splitting and who may speak.
 */
export interface Connector {
  readonly platform: Platform;
  readonly capabilities: Capabilities;
  /** Listens until the signal, over every outage of the network; resolves when stopped. Rejects only with a FleetError that a person must mend (a refused token). */
  run: (around: Surroundings) => Promise<void>;
  /** One attempt, with no hidden retry, ended by the signal. Never throws. */
  send(out: Out, signal: AbortSignal): Promise<Sent>;
  /** Looks whether token, rights and channels are right, and changes nothing. Throws a FleetError with the sentence for the person. */
  probe(signal: AbortSignal): Promise<Probe>;
  /** A file's content, from the platform's own address only, at most that many bytes. */
  fetch(file: Attachment, atMostBytes: number, signal: AbortSignal): Promise<Uint8Array>;
}

/** Makes the connector of an account. The token reaches nothing but the platform. */
export type Open = (wiring: Wiring, token: string) => Connector;
