import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";

import { expect, onTestFinished, test } from "vitest";

import { agentPlace, layHome } from "../../contract/home.ts";
import { writeShell } from "./shell.ts";

/** A path that has to be quoted. */
const placeOf = () => {
  const userHome = join(mkdtempSync(join(tmpdir(), "mosaic-shell-")), "it's $HOME");
  onTestFinished(() => rmSync(join(userHome, ".."), { recursive: true }));
  return agentPlace(layHome({ mosaicHome: undefined, userHome, runDir: undefined, uid: 0 }), "mos");
};
const run = (shell: string, script: string, ...args: string[]) =>
  spawnSync(shell, ["-c", script, "opencode", ...args], {
    env: { OPENCODE_SERVER_PASSWORD: "p", OPENCODE_SERVER_USERNAME: "u", OTHER: "kept", SHELL: shell },
    encoding: "utf8",
  });

test("the agent's shell is the person's, with every word and without the password", () => {
  const place = placeOf();
  const shell = writeShell({ place, env: { SHELL: "/bin/sh" } });
  expect([basename(shell), statSync(shell).mode & 0o777]).toEqual(["sh", 0o700]);
  const print =
    'printf "%s|" "${OPENCODE_SERVER_PASSWORD-}${OPENCODE_SERVER_USERNAME-}" "$OTHER" "$SHELL" "$@"; exit 7';
  const ran = run(shell, print, "a b", "", "'$x'");
  expect([ran.stdout, ran.status]).toEqual(["|kept|/bin/sh|a b||'$x'|", 7]);
});

test("where a person has no shell that OpenCode can use, it is bash, and SHELL stays as it was", () => {
  const place = placeOf();
  for (const own of ["/usr/bin/fish", "/usr/sbin/nologin", "sh", "/nowhere/zsh"]) {
    const shell = writeShell({ place, env: { SHELL: own } });
    expect([basename(shell), run(shell, 'printf %s "$SHELL"').stdout]).toEqual(["bash", own]);
  }
  expect(run(writeShell({ place, env: {} }), "env").stdout).not.toContain("SHELL=");
});
