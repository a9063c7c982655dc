import { join } from "node:path";

import type { Agent } from "../../src/contract/agent.ts";
import type { Desk } from "../../src/harness/harness.ts";
import { tmuxTerminal } from "../../src/terminal/tmux.ts";
import type { Rig } from "../rig.ts";

export const terminal = tmuxTerminal({ PATH: process.env["PATH"] ?? "" });

/** What an adapter is handed, for what the command line does not reach (an id given twice). */
export const deskOf = (rig: Rig, name: string): Desk => ({
  agent: { name, workdir: join(rig.root, "work") } as Agent,
  fleet: "acme",
  place: rig.place(name),
  beat: { path: join(rig.home.run, `${name}.hb`), intervalS: 15 },
  terminal,
  env: { HOME: rig.root },
  node: process.execPath,
  mosaic: join(rig.home.bin, "mosaic"),
  assets: { piExtension: "", codexOpener: "" },
});
