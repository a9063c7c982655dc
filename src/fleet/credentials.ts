import { readFileSync, statSync } from "node:fs";
import { join } from "node:path";

import type { Home } from "../contract/home.ts";
import { writeAtomic } from "../lib/atomic.ts";
import { FleetError, systemCode } from "../lib/errors.ts";

/** Loaded only where a token is made or checked: it costs 5 ms, which `ps` should not pay. */
const crypto = () => process.getBuiltinModule("node:crypto");

const tokenPath = (home: Home, agent: string): string => join(home.secrets, "agents", agent);

/** The agent's capability token, made at its first launch and kept. */
export function agentToken(home: Home, agent: string): string {
  const path = tokenPath(home, agent);
  try {
    const kept = readFileSync(path, "utf8").trim();
    if (kept !== "") return kept;
  } catch {
    // none yet
  }
  const made = `mft_${crypto().randomBytes(24).toString("base64url")}`;
  writeAtomic(path, made);
  return made;
}

/** True where the token is the one that this fleet gave that agent. No token file is no. */
export function isAgentToken(home: Home, agent: string, token: string | undefined): boolean {
  try {
    const kept = Buffer.from(readFileSync(tokenPath(home, agent), "utf8").trim());
    const given = Buffer.from(token ?? "");
    return kept.length > 0 && kept.length === given.length && crypto().timingSafeEqual(kept, given);
  } catch {
    return false;
  }
}

/** Whether that may be a token at all: one word that a header can hold. What was pasted with more is none. */
export const isToken = (text: string): boolean => /^[\u0021-\u007e]+$/.test(text);

/** Whether there is a file for an account's token, and something in it. */
export const hasConnectorToken = (home: Home, account: string): boolean => readToken(home, account) !== undefined;

/** The token of an account at a chat service; undefined where there is none. */
export function connectorToken(home: Home, account: string): string | undefined {
  const token = readToken(home, account);
  if (token === undefined || isToken(token)) return token;
  throw new FleetError(
    "conflict",
    `What is in ${connectorTokenPath(home, account)} is no token: a token is one word.`,
    {
      hint: `mosaic fleet connect token ${account}`,
    },
  );
}

function readToken(home: Home, account: string): string | undefined {
  try {
    return readFileSync(connectorTokenPath(home, account), "utf8").trim() || undefined;
  } catch (error) {
    if (systemCode(error) === "ENOENT") return undefined;
    throw error;
  }
}

/** What changes with the token and says nothing of it. */
export function connectorTokenMark(home: Home, account: string): string {
  try {
    const { mtimeMs, size, ino } = statSync(connectorTokenPath(home, account));
    return `${mtimeMs} ${size} ${ino}`;
  } catch {
    return "none";
  }
}

/** Where that token lies: a file of its own, for its owner only. */
export const connectorTokenPath = (home: Home, account: string): string => join(home.secrets, "connectors", account);

/** The values of the secrets that an agent names, from `secrets/env` (KEY=value lines, for its owner only). */
export function agentSecrets(home: Home, names: readonly string[]): Record<string, string> {
  if (names.length === 0) return {};
  const path = join(home.secrets, "env");
  let text = "";
  try {
    text = readFileSync(path, "utf8");
  } catch (error) {
    if (systemCode(error) !== "ENOENT") throw error;
  }
  const values = new Map(
    text.split(/\r?\n/).flatMap((line): [string, string][] => {
      const [, key, value] = /^\s*(?:export\s+)?([A-Za-z_]\w*)=(.*)$/.exec(line) ?? [];
      return key === undefined || value === undefined ? [] : [[key, value.replace(/^(["'])(.*)\1$/, "$2")]];
    }),
  );
  const missing = names.find((name) => !values.has(name));
  if (missing !== undefined) {
    throw new FleetError("not-found", `The secret ${missing} has no value.`, {
      hint: `add a line ${missing}=… to ${path}`,
    });
  }
  return Object.fromEntries(names.map((name) => [name, values.get(name) ?? ""]));
}
