import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

import { writeAtomic } from "../../lib/atomic.ts";
import type { Desk } from "../harness.ts";

/** Which conversation is the agent's, and where Claude Code keeps its files. Written before Claude Code first sees the id. */
export interface Conversation {
  id: string;
  /** Claude Code's own folder. */
  config: string;
}

/** Claude Code's folder for this agent, and the file in which it remembers trust. */
export function configOf({ env }: Pick<Desk, "env">): { folder: string; file: string } {
  const home = env["HOME"] ?? "/";
  const own = env["CLAUDE_CONFIG_DIR"];
  return { folder: own ?? join(home, ".claude"), file: join(own ?? home, ".claude.json") };
}

export function readConversation(path: string): Conversation | undefined {
  try {
    return JSON.parse(readFileSync(path, "utf8")) as Conversation;
  } catch {
    return undefined;
  }
}

/** The agent's conversation; durable before Claude Code is started with it, so that a kill in between makes no second. */
export function keepConversation(desk: Desk): Conversation {
  const config = configOf(desk).folder;
  const kept = readConversation(desk.place.session);
  const conversation = { id: kept?.id ?? crypto.randomUUID(), config };
  if (kept?.config !== config) writeAtomic(desk.place.session, JSON.stringify(conversation));
  return conversation;
}

/** The file of a conversation, in whatever folder it was begun; undefined before its first message. */
export function transcriptOf({ id, config }: Conversation, workdir: string): string | undefined {
  const projects = join(config, "projects");
  const likely = join(projects, workdir.replaceAll(/[^A-Za-z0-9]/g, "-"), `${id}.jsonl`);
  if (existsSync(likely)) return likely;
  try {
    return readdirSync(projects)
      .map((folder) => join(projects, folder, `${id}.jsonl`))
      .find((file) => existsSync(file));
  } catch {
    return undefined;
  }
}
