/** One line of this machine's own chat. Lines are kept, but for `typing`, which has the number of the last one. */
export type ConsoleLine = { seq: number; at: number } & (
  | { kind: "said"; id: string; name: string; text: string }
  | {
      kind: "text";
      id: string;
      text: string;
      choices: readonly { id: string; label: string }[];
      replyTo: string | null;
    }
  /** Replaces what the line `of` says, and what it offers. */
  | { kind: "edit"; of: string; text: string; choices: readonly { id: string; label: string }[] }
  | { kind: "mark"; of: string; mark: "heard" | "done" | "failed" }
  | { kind: "file"; id: string; path: string; name: string; text: string | null }
  | { kind: "typing" }
);

/** This machine's own chat, from whichever process it is talked to. */
export interface ConsoleDoor {
  /** Durable when it resolves; the same id is the same line. */
  say(line: { id: string; text: string; replyTo?: string | undefined }): Promise<void>;
  /** Takes one of the choices that a line offers. */
  choose(choice: { id: string; message: string; choice: string }): Promise<void>;
  /** The last lines, oldest first, and then whatever comes, until the signal. */
  follow(last: number, signal: AbortSignal): AsyncGenerator<ConsoleLine>;
}
