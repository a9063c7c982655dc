import { existsSync, statSync } from "node:fs";
import { userInfo } from "node:os";

import { FleetError } from "../../lib/errors.ts";
import { exec, type Ran } from "../../lib/exec.ts";

/** Where a user's own systemd is reached. */
export interface UserSystemd {
  /** `/run/user/UID`, or what XDG_RUNTIME_DIR says. */
  runtimeDir: string;
  path: string;
}

/** That folder: what the environment says, unless it is another user's (as after `su`), who keeps none of our agents. */
export function runtimeDirOf(said: string | undefined, uid: number): string {
  const own = said !== undefined && statSync(said, { throwIfNoEntry: false })?.uid === uid;
  return own ? said : `/run/user/${uid}`;
}

/** Runs `systemctl --user`. */
export function systemctl({ runtimeDir, path }: UserSystemd, args: readonly string[]): Promise<Ran> {
  return exec(["systemctl", "--user", "--no-pager", "--no-ask-password", ...args], {
    env: { PATH: path, LANG: "C.UTF-8", XDG_RUNTIME_DIR: runtimeDir, HOME: userInfo().homedir },
    timeoutMs: 120_000,
  });
}

/** Runs it, and says what was not done where it failed. */
export async function mustSystemctl(at: UserSystemd, doing: string, args: readonly string[]): Promise<void> {
  const ran = await systemctl(at, args);
  if (ran.code === 0) return;
  throw new FleetError("unreachable", `systemd did not ${doing}: ${ran.stderr.trim() || "it did not answer"}.`, {
    hint: "mosaic fleet doctor",
  });
}

/** Why there is no user systemd here to hand agents to; undefined where there is one. Reads only, starts nothing. */
export function whyUnreachable({ runtimeDir }: Pick<UserSystemd, "runtimeDir">): string | undefined {
  if (!existsSync("/run/systemd/system")) return "this machine was not booted with systemd";
  if (!existsSync(`${runtimeDir}/systemd/private`)) return `no user systemd listens in ${runtimeDir}`;
  return undefined;
}

/** True where the user's units live on after the last logout, and begin at boot. */
export const lingers = (): boolean => existsSync(`/var/lib/systemd/linger/${userInfo().username}`);
