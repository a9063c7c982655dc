import type { Agent } from "../../contract/agent.ts";

/** A permission rule in OpenCode's words; of several that fit the last one holds. */
export interface Rule {
  permission: string;
  pattern: string;
  action: "allow" | "ask" | "deny";
}

const rule = (action: Rule["action"], permission: string, pattern = "*"): Rule => ({ permission, pattern, action });

const look: readonly Rule[] = [
  rule("ask", "*"),
  ...["read", "glob", "grep", "list", "lsp", "skill", "task", "todoread", "todowrite", "question"].map((tool) =>
    rule("allow", tool),
  ),
  rule("ask", "read", "*.env"),
  rule("ask", "read", "*.env.*"),
  rule("ask", "bash"),
  // Reporting needs no question; a redirection would write a file.
  ...["send *", "ps", "ps *", "status", "status *"].map((verb) => rule("allow", "bash", `mosaic fleet ${verb}`)),
  rule("ask", "bash", "*>*"),
];

/** What an agent may do without asking; for the rest OpenCode asks in its terminal. */
export const floors = {
  read: look,
  // Whatever lies outside its work folder is asked for by `external_directory`.
  edit: [...look, rule("allow", "edit")],
  full: [rule("allow", "*")],
} as const satisfies Record<Agent["permissions"], readonly Rule[]>;

type Setting = Rule["action"] | Record<string, Rule["action"]>;

/** The same rules as settings, which hold for subagents too. Some permissions take no patterns. */
export function settingsOf(rules: readonly Rule[]): Record<string, Setting> {
  const settings: Record<string, Setting> = {};
  for (const { permission, pattern, action } of rules) {
    const before = settings[permission];
    settings[permission] =
      pattern === "*" ? action : { ...(typeof before === "string" ? { "*": before } : before), [pattern]: action };
  }
  return settings;
}
