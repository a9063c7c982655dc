import { readFileSync } from "node:fs";

import { writeAtomic } from "../../lib/atomic.ts";
import type { Desk, Found } from "../harness.ts";
import { floors, settingsOf } from "./floors.ts";
import { open, type OpenDesk } from "./open.ts";
import { readSession } from "./session.ts";
import { writeShell } from "./shell.ts";

/** No update and no download by itself inside a fleet: one agent would replace the CLI under all others. */
export const quiet = {
  OPENCODE_DISABLE_AUTOUPDATE: "1",
  OPENCODE_DISABLE_MODELS_FETCH: "1",
  OPENCODE_DISABLE_LSP_DOWNLOAD: "1",
} as const;

/**
 * OpenCode is the agent; beside it, once, the opener. Its parent ends at once, so that OpenCode gets no child that it
 * does not know. An OpenCode whose conversation cannot be opened is of no use, and is started again.
 */
const script = `
tmp=$1 node=$2 opener=$3 log=$4
shift 4
rm -rf "$tmp" && mkdir -m 700 "$tmp" || exit 1
( { "$node" -e "$opener" $$ || kill $$; } </dev/null >"$log" 2>&1 & )
exec "$@"
`;

/** What the agent's shell has in the way of a temporary folder; each OpenCode leaves 19 MB in it. */
export const temporary = ({ place }: Pick<Desk, "place">): string => `${place.dir}/tmp`;

const passwordFile = ({ place }: Pick<Desk, "place">): string => `${place.dir}/password`;

/** The agent's password; the port is open to every user of the machine, the file to one. */
export function passwordOf(desk: Pick<Desk, "place">): string | undefined {
  try {
    return readFileSync(passwordFile(desk), "utf8");
  } catch {
    return undefined;
  }
}

/** Decides command line and environment, and writes the files that they name. */
export async function prepareLaunch(desk: Desk, found: Found) {
  const { agent, place } = desk;
  const password = passwordOf(desk) ?? crypto.randomUUID();
  // Kept for ever: a launch is also prepared while the agent still runs.
  if (passwordOf(desk) === undefined) writeAtomic(passwordFile(desk), password);
  writeAtomic(place.prompt, roleText(desk));
  const floor = floors[agent.permissions];
  const shell = writeShell(desk);
  const port = await freePort();
  const told: OpenDesk = {
    agent: agent.name,
    url: `http://127.0.0.1:${port}`,
    password: passwordFile(desk),
    session: place.session,
    version: found.version,
    floor,
  };
  const opener = `(${open.toString()})(${JSON.stringify(told)}, Number(process.argv[1]))`;
  const session = readSession(place.session)?.id;
  const argv: [string, ...string[]] = [
    "/bin/sh",
    "-c",
    script,
    "opencode",
    temporary(desk),
    desk.node,
    opener,
    `${place.dir}/opener.log`,
    found.path,
    "--hostname",
    "127.0.0.1",
    "--port",
    String(port),
    ...(session === undefined ? [] : ["--session", session]),
    ...(agent.model === undefined ? [] : ["--model", agent.model]),
    ...agent.args,
  ];
  const settings = {
    autoupdate: false,
    share: "disabled",
    shell,
    instructions: [place.prompt],
    permission: settingsOf(floor),
    ...(agent.model !== undefined && { model: agent.model }),
  };
  const env = {
    ...quiet,
    TMPDIR: temporary(desk),
    SHELL: shell,
    OPENCODE_SERVER_USERNAME: "opencode",
    OPENCODE_SERVER_PASSWORD: password,
    OPENCODE_CONFIG_CONTENT: JSON.stringify(settings),
  };
  return { argv, env, sessionId: session };
}

/** A port that nobody has now. Should somebody take it before OpenCode does, OpenCode ends, and the next try has another. */
function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = process.getBuiltinModule("node:net").createServer();
    server.on("error", reject);
    server.listen(0, "127.0.0.1", () => {
      const address = server.address();
      server.close(() =>
        typeof address === "object" && address !== null ? resolve(address.port) : reject(new Error("no port is free")),
      );
    });
  });
}

const roleText = ({ agent, fleet }: Desk): string =>
  `You are ${agent.name}, the ${agent.role} in the fleet "${fleet}". Other agents and people reach you by messages; ` +
  `\`mosaic fleet ps\` lists the agents, \`mosaic fleet send NAME "text"\` in your shell writes to one.` +
  (agent.prompt ? `\n\n${agent.prompt}` : "");
