import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";

import { until } from "../../src/lib/wait.ts";
import type { LoggedAsk } from "../model/ledger.ts";
import type { ScriptedModel } from "../model/server.ts";
import type { Rig } from "../rig.ts";

export const opencodeBin = process.env["MOSAIC_TEST_OPENCODE"] ?? "";

/** Fails loudly where a sign does not come. */
export async function sign<T>(
  what: string,
  ask: () => T | undefined | Promise<T | undefined>,
  instead: () => string = () => "",
): Promise<T> {
  const found = await until(ask, { withinMs: 30_000 });
  if (found === undefined) throw new Error(`never came: ${what}\n${instead()}`);
  return found;
}

/** Signs of what is true of one OpenCode, none of them mosaic's word. */
export function signsOf(rig: Rig, model: ScriptedModel) {
  const tmux = (...args: string[]) =>
    spawnSync("tmux", ["-S", rig.place("mos").terminal, ...args], { encoding: "utf8" });
  const screen = () => tmux("capture-pane", "-p", "-J", "-t", "=mos:").stdout;
  const asks = (text: string) => model.asks().filter((one) => one.ask.lastUser.includes(text));
  const process_ = (pid: number): string => {
    try {
      return /^State:\s+(\S)/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1] ?? "gone";
    } catch {
      return "gone";
    }
  };
  const press = (...keys: string[]) => tmux("send-keys", "-t", "=mos:", ...keys);
  const shows = (text: string) =>
    sign(`${text} on the screen`, () => (screen().includes(text) ? true : undefined), screen);
  return {
    tmux,
    press,
    shows,
    showsNot: (text: string) =>
      sign(`no ${text} on the screen`, () => (screen().includes(text) ? undefined : true), screen),
    /** A person ends the turn: the first Escape asks whether that was meant. */
    escape: async (): Promise<void> => {
      press("Escape");
      await shows("again to interrupt");
      press("Escape");
    },
    /** The model was asked that often, and the last of them is still open, was answered, or was broken off. */
    asked: (text: string, outcome: LoggedAsk["outcome"], times = 1) =>
      sign(
        `${times} × "${text}" ${outcome} at the model`,
        () => (asks(text).length >= times && asks(text).at(-1)?.outcome === outcome ? true : undefined),
        screen,
      ),
    /** The process that the launch wrapper wrote down. */
    pid: () => Number(/^pid=(\d+)/.exec(readFileSync(rig.place("mos").pid, "utf8"))?.[1]),
    process: process_,
    gone: (pid: number) => sign("the process's end", () => (["gone", "Z"].includes(process_(pid)) ? true : undefined)),
  };
}
