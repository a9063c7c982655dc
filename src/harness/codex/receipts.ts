import { appendFileSync, readFileSync } from "node:fs";

/** True where Codex has taken a message of that id already. */
export function seen(journal: string, id: string): boolean {
  try {
    return readFileSync(journal, "utf8").includes(`${JSON.stringify(id)}\n`);
  } catch {
    return false;
  }
}

/** Notes that Codex has taken it: Codex itself would take the same id twice. */
export function remember(journal: string, id: string): void {
  if (!seen(journal, id)) appendFileSync(journal, `${JSON.stringify(id)}\n`, { mode: 0o600 });
}
