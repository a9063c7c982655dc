/** One agent's terminal: a server and a session of its own, so that no agent can take another down. */
export interface TerminalAt {
  name: string;
  socket: string;
}

/** What an agent's terminal can do. The tmux driver is the implementation; supervisors and adapters get it handed. */
export interface Terminal {
  /** The command line that opens the terminal with the script in it, for whoever keeps the terminal himself. */
  opener(at: TerminalAt, run: { script: string; cwd: string }): [string, ...string[]];
  /** Opens the terminal and runs the script in it. Refuses where it is open already. */
  open(at: TerminalAt, run: { script: string; cwd: string; env: Readonly<Record<string, string>> }): Promise<void>;
  isOpen(at: TerminalAt): Promise<boolean>;
  /** The text on the screen, with up to `history` lines above it. */
  capture(at: TerminalAt, history?: number): Promise<string>;
  /** Submits text as one paste and Enter, in one step that no other writer can come between. Never read as keys. */
  type(at: TerminalAt, text: string): Promise<void>;
  /** Presses one named key (`C-c`, `Escape`). */
  press(at: TerminalAt, key: string): Promise<void>;
  /** Ends the terminal and whatever still runs in it; nothing happens where there is none. */
  close(at: TerminalAt): Promise<void>;
  /** The command line that shows the terminal to a person. */
  viewer(at: TerminalAt, options: { readOnly: boolean }): [string, ...string[]];
}
