import { homedir } from "node:os";
import { join } from "node:path";

import { onTestFinished } from "vitest";

import { makeRig, type Rig } from "../rig.ts";

/** Where systemd looks for a user's units, and nowhere else. */
export const units = join(homedir(), ".config", "systemd", "user");

/** A fleet in the real home, since systemd looks for units nowhere else; its records are in a folder of their own. */
export function makeFleet(path?: string): Rig {
  const rig = makeRig(path === undefined ? {} : { path });
  rig.env["XDG_CONFIG_HOME"] = join(homedir(), ".config");
  rig.env["MOSAIC_HOME"] = rig.home.root;
  rig.env["XDG_RUNTIME_DIR"] = process.env["XDG_RUNTIME_DIR"] ?? "";
  onTestFinished(async () => {
    await rig.fleet("stop");
    await rig.fleet("uninstall");
  });
  return rig;
}
