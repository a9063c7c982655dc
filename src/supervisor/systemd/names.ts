import { createHash } from "node:crypto";
import { join } from "node:path";

import type { Home } from "../../contract/home.ts";

/** Names of this home's units. The home that everybody has gets the plain ones; every other one its own. */
export function unitNames(home: Home) {
  const mark = createHash("sha256").update(home.root).digest("hex").slice(0, 8);
  const base = home.root === join(home.user, ".config", "mosaic") ? "mosaic" : `mosaic-${mark}`;
  return {
    /** The template of all agents. */
    template: `${base}@.service`,
    agent: (name: string) => `${base}@${name}.service`,
    daemon: `${base}.service`,
  };
}
