import { readFileSync, statSync } from "node:fs";
import { isAbsolute, join, resolve } from "node:path";

import { isMap, isScalar, LineCounter, parseDocument, type Document } from "yaml";
import type { ZodError, ZodType } from "zod";

import type { Agent } from "../contract/agent.ts";
import { platforms, type Wiring } from "../contract/connector.ts";
import { FleetError, systemCode, wordSystemFault } from "../lib/errors.ts";
import { Roster } from "./schema.ts";

/** A roster read, checked and filled in. */
export interface LoadedRoster {
  fleet: string;
  tenant: string;
  supervisor: "auto" | "systemd" | "builtin";
  preset: string | undefined;
  agents: Agent[];
  connectors: Wiring[];
  /** Unknown keys, with their place: kept, never refused. */
  warnings: string[];
}

/** Reads and checks a roster file. Every error names the file, line and column, and what would be right. */
export function loadRoster(path: string, userHome: string): LoadedRoster {
  return parseRoster(readRosterText(path), path, userHome);
}

/** The text of the roster file, or the sentence that says there is none. */
export function readRosterText(path: string): string {
  try {
    // A pipe or a device of that name would be read for ever.
    if (!statSync(path).isFile()) throw Object.assign(new Error(path), { code: "EISDIR" });
    return readFileSync(path, "utf8");
  } catch (error) {
    if (systemCode(error) === "ENOENT") {
      throw new FleetError("not-found", `There is no fleet yet: ${path} does not exist.`, {
        hint: "mosaic fleet init",
      });
    }
    throw wordSystemFault(error, `read ${path}`);
  }
}

/** Parses and checks a roster's text: load → validate → exactly one orchestrator → fill in. */
export function parseRoster(text: string, path: string, userHome: string): LoadedRoster {
  const { data, document, lines } = parseChecked(Roster, text, path);
  const warnings = unknownKeys(data, document, lines);
  const fail = (message: string, at: (string | number)[]): never => {
    throw new FleetError("invalid-roster", `${path}:${placeOf(document, lines, at)}: ${message}`, {
      hint: `edit ${path}, then: mosaic fleet plan`,
    });
  };
  const seen = new Map<string, number>();
  for (const [index, agent] of data.agents.entries()) {
    if (seen.has(agent.name)) fail(`two agents are named ${agent.name}`, ["agents", index, "name"]);
    seen.set(agent.name, index);
    if (agent.runtime === "command" && agent.command === undefined) {
      fail(`${agent.name} has runtime command and no command to run`, ["agents", index, "runtime"]);
    }
    if (agent.runtime !== "command" && agent.command !== undefined) {
      fail(`${agent.name} has a command, which only runtime: command uses`, ["agents", index, "command"]);
    }
  }
  const orchestrators = data.agents.filter((agent) => agent.role === "orchestrator");
  if (orchestrators.length !== 1) {
    const second = data.agents.indexOf(orchestrators[1] ?? data.agents[0] ?? ({} as never));
    fail(
      orchestrators.length === 0
        ? "no agent is the orchestrator; give exactly one agent `role: orchestrator`"
        : `${orchestrators.map((agent) => agent.name).join(" and ")} are both orchestrator; exactly one may be`,
      ["agents", ...(orchestrators.length > 1 ? [second, "role"] : [])],
    );
  }
  const connectors = Object.entries(data.connectors ?? {}).map(([account, entry]): Wiring => {
    const at = ["connectors", account];
    const platform = entry.platform ?? platforms.find((one) => one === account);
    if (platform === undefined) return fail(`${account} names no platform; there are ${platforms.join(", ")}`, at);
    if (platform === "console" || account === "console")
      return fail("the console is always there and needs no entry", at);
    if (entry.agent !== undefined && !seen.has(entry.agent))
      return fail(`${account}: there is no agent ${entry.agent}`, at);
    const { agent, url, guild, channels = [], owners = [], users = [], mention = true } = entry;
    return { account, platform, agent, url, guild, channels, owners, users, mention };
  });
  return {
    fleet: data.fleet,
    tenant: data.tenant ?? "default",
    supervisor: data.supervisor ?? "auto",
    preset: data.preset,
    agents: data.agents.map((agent) => fillIn(agent, data.defaults ?? {}, userHome)),
    connectors,
    warnings: warnings.map((warning) => `${path}:${warning}`),
  };
}

/** Parses YAML and checks it against a schema; all complaints come with line and column. */
export function parseChecked<T>(
  schema: ZodType<T>,
  text: string,
  path: string,
): { data: T; document: Document; lines: LineCounter } {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false });
  const [broken] = document.errors;
  if (broken !== undefined) {
    const { line, col } = lines.linePos(broken.pos[0]);
    throw new FleetError("invalid-roster", `${path}:${line}:${col}: not valid YAML: ${broken.message}`, {
      hint: `edit ${path}, then: mosaic fleet plan`,
    });
  }
  const checked = schema.safeParse(document.toJS());
  if (!checked.success) throw complaint(checked.error, document, lines, path);
  return { data: checked.data, document, lines };
}

function complaint(error: ZodError, document: Document, lines: LineCounter, path: string): FleetError {
  const said = error.issues.map((issue) => {
    const at = issue.path.filter((step) => typeof step !== "symbol");
    const where = at.length === 0 ? "" : `${at.join(".").replaceAll(/\.(\d+)/g, "[$1]")}: `;
    return `${path}:${placeOf(document, lines, at)}: ${where}${issue.message}`;
  });
  return new FleetError("invalid-roster", said.join("\n"), { hint: `edit ${path}, then: mosaic fleet plan` });
}

/** `line:column` of the nearest node on that path, so a missing key is shown at its owner. */
function placeOf(document: Document, lines: LineCounter, at: readonly (string | number)[]): string {
  for (let depth = at.length; depth >= 0; depth--) {
    const node = depth === 0 ? document.contents : document.getIn(at.slice(0, depth), true);
    if (node !== null && typeof node === "object" && "range" in node && Array.isArray(node.range)) {
      const { line, col } = lines.linePos(Number(node.range[0]));
      return `${line}:${col}`;
    }
  }
  return "1:1";
}

function placeOfKey(document: Document, lines: LineCounter, at: readonly (string | number)[], key: string): string {
  const map = at.length === 0 ? document.contents : document.getIn(at, true);
  const pair = isMap(map) ? map.items.find((item) => isScalar(item.key) && item.key.value === key) : undefined;
  const start = isScalar(pair?.key) ? pair.key.range?.[0] : undefined;
  if (start === undefined) return placeOf(document, lines, at);
  const { line, col } = lines.linePos(start);
  return `${line}:${col}`;
}

const known = {
  roster: new Set(Object.keys(Roster.shape)),
  agent: new Set(Object.keys(Roster.shape.agents.element.shape)),
  defaults: new Set(Object.keys(Roster.shape.defaults.unwrap().shape)),
  connector: new Set(Object.keys(Roster.shape.connectors.unwrap().valueType.shape)),
};

function unknownKeys(data: Roster, document: Document, lines: LineCounter): string[] {
  const found: string[] = [];
  const look = (value: object, names: Set<string>, at: (string | number)[]) => {
    for (const key of Object.keys(value)) {
      if (!names.has(key)) found.push(`${placeOfKey(document, lines, at, key)}: unknown key ${key} (kept)`);
    }
  };
  look(data, known.roster, []);
  if (data.defaults) look(data.defaults, known.defaults, ["defaults"]);
  for (const [index, agent] of data.agents.entries()) look(agent, known.agent, ["agents", index]);
  for (const [name, entry] of Object.entries(data.connectors ?? {})) look(entry, known.connector, ["connectors", name]);
  return found;
}

function fillIn(entry: Roster["agents"][number], defaults: NonNullable<Roster["defaults"]>, userHome: string): Agent {
  return {
    name: entry.name,
    role: entry.role ?? "worker",
    runtime: entry.runtime,
    model: entry.model ?? defaults.model,
    workdir: absolute(entry.workdir ?? defaults.workdir ?? "~", userHome),
    prompt: entry.prompt,
    command: entry.command,
    // Arguments for a harness mean nothing to another program.
    args: entry.args ?? (entry.runtime === "command" ? undefined : defaults.args) ?? [],
    env: { ...defaults.env, ...entry.env },
    secrets: [...new Set([...(defaults.secrets ?? []), ...(entry.secrets ?? [])])],
    permissions: entry.permissions ?? defaults.permissions ?? "full",
    restart: entry.restart ?? defaults.restart ?? "always",
    limits: entry.limits || defaults.limits ? { ...defaults.limits, ...entry.limits } : undefined,
  };
}

/** `~` is the home; a relative folder is meant from the home too, since a roster has no "current" folder. */
function absolute(folder: string, userHome: string): string {
  if (folder === "~") return userHome;
  if (folder.startsWith("~/")) return join(userHome, folder.slice(2));
  return isAbsolute(folder) ? resolve(folder) : join(userHome, folder);
}
