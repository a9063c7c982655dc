import { durabilitySuite } from "./durability-suite.ts";
import { hearingSuite } from "./hearing-suite.ts";
import { speakingSuite } from "./speaking-suite.ts";
import type { Lacks, Rig } from "./suite-rig.ts";

/** What every connector promises. The same clauses run on every platform, and on servers of others. */
export function connectorSuite(kind: string, rigOf: () => Promise<Rig>, lacks: Lacks = {}): void {
  hearingSuite(kind, rigOf, lacks);
  durabilitySuite(kind, rigOf, lacks);
  speakingSuite(kind, rigOf, lacks);
}
