import { spawnSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

import { expect } from "vitest";

import { until } from "../../src/lib/wait.ts";
import { claudeEnv } from "../model/claude-home.ts";
import type { LoggedAsk } from "../model/ledger.ts";
import type { ScriptedModel } from "../model/server.ts";
import { makeRig, rosterOf, type Rig } from "../rig.ts";

export const claudeBin = process.env["MOSAIC_TEST_CLAUDE"] ?? "";

/** A fleet that has begun, with Claude Code for its orchestrator; others by their lines of the roster. */
export async function claudeFleet(model: ScriptedModel, permissions: string, ...others: string[]): Promise<Rig> {
  const rig = makeRig({ path: claudeBin });
  const env = JSON.stringify(claudeEnv(model.url));
  const mos = `{ name: mos, role: orchestrator, runtime: claude, model: scripted-large, workdir: ~/work, permissions: ${permissions}, env: ${env} }`;
  rig.roster(rosterOf(mos, ...others));
  expect((await rig.fleet("start")).code).toBe(0);
  return rig;
}

/** Fails loudly where a sign does not come. */
export async function sign<T>(
  what: string,
  ask: () => T | undefined | Promise<T | undefined>,
  instead: () => string = () => "",
): Promise<T> {
  const found = await until(ask, { withinMs: 30_000 });
  if (found === undefined) throw new Error(`never came: ${what} ${instead()}`);
  return found;
}

/** Signs of what is true of one Claude Code, none of them mosaic's word. */
export function signsOf(rig: Rig, name: string, model: ScriptedModel) {
  const at = { name, socket: rig.place(name).terminal };
  const tmux = (...args: string[]) => spawnSync("tmux", ["-S", at.socket, ...args], { encoding: "utf8" });
  const screen = () => tmux("capture-pane", "-p", "-J", "-t", `=${name}:`).stdout;
  const newest = (text: string): LoggedAsk | undefined =>
    model.asks().findLast((one) => one.ask.lastUser.includes(text));
  return {
    tmux,
    screen,
    press: (...keys: string[]) => tmux("send-keys", "-t", `=${name}:`, ...keys),
    shows: (text: string) => sign(`${text} on the screen`, () => (screen().includes(text) ? true : undefined), screen),
    showsNot: (text: string) =>
      sign(`no ${text} on the screen`, () => (screen().includes(text) ? undefined : true), screen),
    /** The model was asked that often, and the last of them is still open, was answered, or was broken off. */
    asked: (text: string, outcome: LoggedAsk["outcome"], times = 1) =>
      sign(`${times} × "${text}" ${outcome} at the model`, () => {
        const count = model.asks().filter((one) => one.ask.lastUser.includes(text)).length;
        return count >= times && newest(text)?.outcome === outcome ? true : undefined;
      }),
    /** All that Claude Code wrote down of the agent's conversations. */
    transcript: (): string => {
      const projects = join(rig.root, ".claude", "projects");
      return readdirSync(projects, { recursive: true, encoding: "utf8" })
        .filter((file) => file.endsWith(".jsonl"))
        .map((file) => readFileSync(join(projects, file), "utf8"))
        .join("");
    },
    /** The record that a Claude Code keeps of itself. */
    record(pid: number): { status?: string } | undefined {
      try {
        return JSON.parse(readFileSync(join(rig.root, ".claude", "sessions", `${pid}.json`), "utf8")) as object;
      } catch {
        return undefined;
      }
    },
    /** The process that the launch wrapper wrote down. */
    pid: () => Number(/^pid=(\d+)/.exec(readFileSync(rig.place(name).pid, "utf8"))?.[1]),
    process: (pid: number): string => {
      try {
        return /^State:\s+(\S)/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1] ?? "gone";
      } catch {
        return "gone";
      }
    },
  };
}
