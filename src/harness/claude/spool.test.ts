import { spawnSync } from "node:child_process";
import { chmodSync, existsSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import { expect, test } from "vitest";

import { scratchFolder } from "../../../test/scratch.ts";
import type { AgentPlace } from "../../contract/home.ts";
import type { Desk } from "../harness.ts";
import { eventsFrom, lastEvent, sizeOf, spoolOf, writePlugin } from "./spool.ts";

function plugin() {
  const dir = join(scratchFolder("spool"), "it's");
  const place = { dir, terminal: join(dir, "co.tmux") } as AgentPlace;
  const desk = { agent: { name: "co" }, place } as Desk;
  const folder = writePlugin(desk, "/nonexistent");
  const hooks = JSON.parse(readFileSync(join(folder, "hooks/hooks.json"), "utf8")) as {
    hooks: Record<string, { hooks: [{ command: string }] }[]>;
  };
  const command = hooks.hooks["Stop"]?.[0]?.hooks[0].command ?? "";
  /** As Claude Code runs it: through a shell, the payload on stdin. */
  const fire = (event: object, pid = 7) =>
    spawnSync("/bin/sh", ["-c", command], {
      input: `${JSON.stringify(event)}\n`,
      env: { PATH: process.env["PATH"], CLAUDE_PID: String(pid) },
      encoding: "utf8",
    });
  return { folder, spool: spoolOf(desk), fire, hooks: Object.keys(hooks.hooks) };
}

test("an event is kept whole, whatever is in it, and says whose it is", () => {
  const { spool, fire } = plugin();
  const text = `quotes ' " \\n %s $(id) \u0000 naïve 世界\n${"x".repeat(200_000)}`;
  expect(fire({ hook_event_name: "Stop", last_assistant_message: text })).toMatchObject({
    status: 0,
    stdout: "",
    stderr: "",
  });
  const [one] = eventsFrom(spool, 0);
  expect(one).toMatchObject({ pid: 7, event: { hook_event_name: "Stop", last_assistant_message: text } });
  expect(Math.abs((one?.at ?? 0) - Date.now() / 1_000)).toBeLessThan(5);
  expect(statSync(spool).mode & 0o077).toBe(0);
});

test("the newest event is this process's", () => {
  const { spool, fire } = plugin();
  expect(lastEvent(spool, 7)).toBe(undefined);
  for (const [name, pid] of [
    ["SessionStart", 6],
    ["UserPromptSubmit", 7],
    ["SessionEnd", 6],
  ] as const)
    fire({ hook_event_name: name }, pid);
  expect(lastEvent(spool, 7)?.event.hook_event_name).toBe("UserPromptSubmit");
});

test("it stays small: a full spool is put aside, and a reader who waits in it goes on in the new one", () => {
  const { spool, fire } = plugin();
  writeFileSync(spool, "x".repeat(1024 * 1024 + 1));
  const start = sizeOf(spool);
  fire({ hook_event_name: "Stop" });
  expect(eventsFrom(spool, start)).toHaveLength(1);
  expect(existsSync(`${spool}.old`)).toBe(true);
});

test("where it cannot write it loses the event, and no turn", () => {
  const { folder, spool, fire } = plugin();
  rmSync(spool, { force: true });
  chmodSync(join(folder, ".."), 0o500);
  // Root may write everywhere: a folder in the spool's place stops it too.
  if (process.getuid?.() === 0) spawnSync("mkdir", [spool]);
  expect(fire({ hook_event_name: "Stop" })).toMatchObject({ status: 0, stdout: "", stderr: "" });
  chmodSync(join(folder, ".."), 0o700);
});

test("tools have no hook: it would run twice for each of them", () => {
  expect(plugin().hooks).not.toEqual(expect.arrayContaining([expect.stringContaining("ToolUse")]));
});
