import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import { expect, onTestFinished } from "vitest";

import { until } from "../src/lib/wait.ts";
import { tmuxTerminal } from "../src/terminal/tmux.ts";
import { bin, type Rig } from "./rig.ts";

const terminal = tmuxTerminal({ PATH: process.env["PATH"] ?? "" });

/** One command in a real terminal, for a test to answer its questions. */
export async function typedIn(rig: Rig, command: string) {
  const at = { name: "w", socket: join(rig.root, "w.sock") };
  const script = join(rig.root, "w.sh");
  const ended = join(rig.root, "code");
  writeFileSync(
    script,
    `cd ${rig.root}/work\n'${process.execPath}' '${bin}' ${command}\necho "exit=$?" >${ended}\nexec sleep 1000\n`,
  );
  await terminal.open(at, { script, cwd: rig.root, env: { ...rig.env, TERM: "xterm-256color" } });
  onTestFinished(() => terminal.close(at));
  const screen = () => terminal.capture(at);
  return {
    screen,
    sees: async (text: string) => {
      const found = await until(async () => ((await screen()).includes(text) ? true : undefined), {
        withinMs: 15_000,
      });
      expect(found, `${text}\n${await screen()}`).toBe(true);
    },
    /** As the shell would say it. */
    code: () => until(() => (existsSync(ended) ? readFileSync(ended, "utf8").trim() : undefined), { withinMs: 20_000 }),
    press: (key: string) => terminal.press(at, key),
    /** Text and Enter. */
    type: (text: string) => terminal.type(at, text),
  };
}
