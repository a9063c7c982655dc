import {
  existsSync,
  lstatSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  readlinkSync,
  rmSync,
  symlinkSync,
} from "node:fs";
import { join } from "node:path";

import type { Limits } from "../../contract/agent.ts";
import { writeAtomic } from "../../lib/atomic.ts";
import { withLock } from "../../lib/lock.ts";
import { unitNames } from "./names.ts";
import { mustSystemctl, type UserSystemd } from "./systemctl.ts";
import { daemonText, limitsText, templateText, type Installation } from "./unit-text.ts";

/**
 * Writes whatever of the units is not as it should be, and lets systemd read them again where something was. One at a
 * time: whoever comes second finds everything written and read. True where something was written.
 */
export async function layUnits(
  of: Installation,
  at: UserSystemd,
  agent?: { name: string; limits: Limits },
): Promise<boolean> {
  const { home } = of;
  const names = unitNames(home);
  return withLock(join(home.locks, "systemd.lock"), { what: "systemd's units", patienceMs: 60_000 }, async () => {
    let changed = lay(join(home.units, names.template), templateText(of), 0o644);
    changed = lay(join(home.units, names.daemon), daemonText(of), 0o644) || changed;
    if (agent !== undefined) {
      const dropIn = join(home.units, `${names.agent(agent.name)}.d`, "limits.conf");
      changed = lay(dropIn, limitsText(agent.limits), 0o644) || changed;
    }
    if (changed) await mustSystemctl(at, "read its units again", ["daemon-reload"]);
    return changed;
  });
}

/** Whether the unit begins with the user's systemd: at boot where they linger, else at the first login. */
export function setAtBoot({ home }: Pick<Installation, "home">, unit: string, atBoot: boolean): void {
  const wants = join(home.units, "default.target.wants");
  const link = join(wants, unit);
  if (!atBoot) return rmSync(link, { force: true });
  const to = `../${unit.replace(/@.*\./, "@.")}`;
  if (linkOf(link) === to) return;
  mkdirSync(wants, { recursive: true });
  rmSync(link, { force: true });
  symlinkSync(to, link);
}

/** Every file of this home's units that exists. What a person added to them is theirs. */
export function laidUnits({ home }: Pick<Installation, "home">): string[] {
  const names = unitNames(home);
  const isOurs = (file: string) =>
    file === names.daemon || file === names.template || file.startsWith(names.template.replace(".service", ""));
  const inFolder = (folder: string) =>
    existsSync(folder)
      ? readdirSync(folder)
          .filter(isOurs)
          .map((file) => (file.endsWith(".d") ? join(folder, file, "limits.conf") : join(folder, file)))
          .filter((path) => lstatSync(path, { throwIfNoEntry: false }) !== undefined)
      : [];
  return [...inFolder(home.units), ...inFolder(join(home.units, "default.target.wants"))];
}

/** Writes or removes a file; true where that changed something. */
function lay(path: string, text: string | undefined, mode: number): boolean {
  let before: string | undefined;
  try {
    before = readFileSync(path, "utf8");
  } catch {
    // not there
  }
  if (before === text) return false;
  if (text === undefined) rmSync(path, { force: true });
  else writeAtomic(path, text, { mode });
  return true;
}

function linkOf(path: string): string | undefined {
  try {
    return readlinkSync(path);
  } catch {
    return undefined;
  }
}
