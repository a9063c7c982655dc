import { FleetError } from "../../lib/errors.ts";
import { findExecutable } from "../../lib/find-executable.ts";
import { signal } from "../../lib/proc.ts";
import type { Harness } from "../harness.ts";

// oxlint-disable-next-line no-control-regex -- these are what it is about
const controls = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/g;

/** Any program. It lives in a terminal and can be typed to; of what it does nothing is known but that it lives. */
export const command: Harness = {
  runtime: "command",
  capabilities: { receipts: false, nativeState: false, steer: false, resume: false, transcript: false, beats: false },
  install: "install the program, or correct `command` in the roster",

  locate(agent, search) {
    const [program] = agent?.command ?? [];
    return program === undefined ? undefined : findExecutable(program, search.path);
  },

  version: async () => undefined, // any program: there is no one way to ask

  async launch({ agent }, found) {
    const [, ...rest] = agent.command ?? [];
    // As it was written, not as it was found: a program may look at its own name (busybox, a pyenv shim).
    const program = agent.command?.[0] ?? found.path;
    return {
      argv: [program.includes("/") ? program : found.path, ...rest, ...agent.args],
      env: {},
      sessionId: undefined,
    };
  },

  ask: async () => ({ kind: "absent" }),

  async submit({ agent, place, terminal }, { id, text }) {
    const at = { name: agent.name, socket: place.terminal };
    if (!(await terminal.isOpen(at))) {
      throw new FleetError("unreachable", `The terminal of ${agent.name} cannot be reached; nothing was sent.`, {
        hint: `mosaic fleet restart ${agent.name}`,
      });
    }
    // Words, not keys: a control character in a message must not interrupt a program or end the paste.
    await terminal.type(at, text.replaceAll(controls, ""));
    return { id, state: "typed", by: "terminal" };
  },

  async interrupt({ agent, place, terminal }) {
    await terminal.press({ name: agent.name, socket: place.terminal }, "C-c");
    return "pressed Ctrl-C in its terminal";
  },

  async end(_, pid) {
    signal(pid, "SIGTERM");
  },

  async tail({ agent, place, terminal }, lines) {
    const screen = await terminal.capture({ name: agent.name, socket: place.terminal }, lines);
    const text = screen.trimEnd().split("\n").slice(-lines);
    return text.map((line) => ({ who: "agent", at: undefined, text: line }));
  },
};
