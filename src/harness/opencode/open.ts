import type { Rule } from "./floors.ts";
import type { Message, Session } from "./session.ts";

/** What a launch tells the program below. */
export interface OpenDesk {
  agent: string;
  url: string;
  /** File of the password, and of the session. */
  password: string;
  session: string;
  version: string | undefined;
  floor: readonly Rule[];
}

/**
 * Run once by an agent's launch beside OpenCode, and gone when the conversation is open: waits for its server, opens the
 * agent's conversation again or a new one, shows it in the terminal, writes down which it is, and lets OpenCode go on
 * with a message that was never answered. It is handed to Node as text, so it may use nothing of this file or another.
 */
export async function open(desk: OpenDesk, pid: number): Promise<void> {
  const { readFileSync, renameSync, writeFileSync } = process.getBuiltinModule("node:fs");
  const authorization = `Basic ${Buffer.from(`opencode:${readFileSync(desk.password, "utf8")}`).toString("base64")}`;
  const pause = (ms: number) => new Promise((done) => setTimeout(done, ms));
  const ask = async <T>(method: string, path: string, body?: object, withinMs = 20_000): Promise<T | undefined> => {
    const answer = await fetch(desk.url + path, {
      method,
      headers: { authorization, "content-type": "application/json" },
      signal: AbortSignal.timeout(withinMs),
      ...(body !== undefined && { body: JSON.stringify(body) }),
    });
    const text = await answer.text();
    if (answer.status === 404) return undefined;
    if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${text}`);
    return text === "" ? undefined : (JSON.parse(text) as T);
  };
  for (const began = Date.now(); ; await pause(50)) {
    try {
      await ask("GET", "/global/health", undefined, 500); // while it comes up it takes a request and forgets it (seen)
      break;
    } catch (error) {
      process.kill(pid, 0); // throws where OpenCode has ended
      if (Date.now() - began > 60_000) throw error;
    }
  }
  let before: Session | undefined;
  try {
    before = JSON.parse(readFileSync(desk.session, "utf8")) as Session;
  } catch {
    // its first launch
  }
  interface Opened {
    id: string;
    permission?: Rule[];
  }
  const known = before === undefined ? undefined : await ask<Opened>("GET", `/session/${before.id}`);
  const opened = known ?? (await ask<Opened>("POST", "/session", { title: desk.agent }));
  if (opened === undefined) throw new Error("OpenCode opened no conversation");
  // The conversation's own rules come last, so they win over the person's settings. They can only be added to.
  const last = (opened.permission ?? []).slice(-desk.floor.length);
  const plain = (rules: readonly Rule[]) =>
    JSON.stringify(rules.map((one) => [one.permission, one.pattern, one.action]));
  if (plain(last) !== plain(desk.floor)) await ask("PATCH", `/session/${opened.id}`, { permission: desk.floor });
  const config = await ask<{ model?: string }>("GET", "/config");
  interface Providers {
    providers: { id: string; models: Record<string, { limit?: { context?: number } }> }[];
  }
  const offered = await ask<Providers>("GET", "/config/providers");
  const show = () => ask("POST", "/tui/select-session", { sessionID: opened.id });
  await show();
  const limits = Object.fromEntries(
    (offered?.providers ?? []).flatMap((provider) =>
      Object.entries(provider.models).flatMap(([model, { limit }]) =>
        limit?.context === undefined ? [] : [[`${provider.id}/${model}`, limit.context]],
      ),
    ),
  ) as Record<string, number>;
  const { id } = opened;
  const session: Session = { id, url: desk.url, pid, version: desk.version, model: config?.model, limits };
  writeFileSync(`${desk.session}.tmp`, JSON.stringify(session), { mode: 0o600 });
  renameSync(`${desk.session}.tmp`, desk.session);
  const messages = (await ask<Message[]>("GET", `/session/${opened.id}/message?limit=50`)) ?? [];
  const waiting = messages.findLast(({ info }) => info.role === "user")?.info.id;
  if (waiting !== undefined && !messages.some(({ info }) => info.parentID === waiting)) {
    await ask("POST", `/session/${opened.id}/prompt_async`, { messageID: waiting, parts: [] });
  }
  // A view that is not up yet forgets which conversation to show, and cannot be asked. Shown again it keeps a draft (seen).
  if (known !== undefined) return; // named on the command line
  for (let at = 0; at < 20; at++) {
    await pause(1_000);
    await show();
  }
}
