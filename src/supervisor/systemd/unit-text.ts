import type { Limits } from "../../contract/agent.ts";
import { agentPlace, type Home } from "../../contract/home.ts";
import type { Terminal } from "../../contract/terminal.ts";
import { longestWaitMs } from "../crashes.ts";

/** What the units say of this installation. Everything in it is absolute. */
export interface Installation {
  home: Home;
  terminal: Terminal;
  tmux: string;
  /** The command line of `mosaic`, on the Node that runs now. */
  mosaic: readonly [string, ...string[]];
  /** The environment of the terminal server, and with it what an agent starts from. */
  env: Readonly<Record<string, string>>;
}

/** The exit code of `begin` that keeps an agent from being started. */
export const held = 75;

/** Stands for the instance in a word until that is escaped; no path and no name holds it. */
const instance = "\uE000";

/** systemd splits and expands words: quotes, backslashes, `%` and `$` are escaped, and a lone `;` would end the command. */
function word(text: string): string {
  if (text === ";") return String.raw`\;`;
  const escaped = text.replaceAll("\\", String.raw`\\`).replaceAll('"', String.raw`\"`);
  const plain = escaped
    .replaceAll("%", "%%")
    .replaceAll("$", "$$$$")
    .replaceAll("\n", String.raw`\n`);
  const quoted = /^[\w@%+=:,./\uE000-]+$/.test(plain) ? plain : `"${plain}"`;
  return quoted.replaceAll(instance, "%i");
}
const line = (argv: readonly string[]): string => argv.map(word).join(" ");

/** The program's own `--mosaic-home` comes first, so that whatever the environment says the unit means its home. */
const call = ({ mosaic, home }: Installation, ...args: string[]) => [...mosaic, "--mosaic-home", home.root, ...args];

/**
 * The template of all agents: each has a terminal server, a cgroup and a fate of its own.
 * - tmux always ends with 0, so only `always` restarts; the roster's rule and the waits between are kept by `begin`.
 * - Where that cannot run (its Node is gone), the agent is started as it was launched last.
 * - systemd would guess which process to watch, and cannot where the agent has put something aside by then: it would
 *   end unseen. So the terminal server is named, and before ExecStart ends: nobody hears of a later word while systemd
 *   reads its units again.
 * - Without a draining stop, `mixed` would hang up and then kill: work lost. The limit on starts is a second net.
 */
export function templateText(of: Installation): string {
  const place = agentPlace(of.home, instance);
  const [, ...opener] = of.terminal.opener(
    { name: instance, socket: place.terminal },
    { script: place.script, cwd: "/" },
  );
  const env = Object.entries(of.env).map(([key, value]) => `${key}=${value}`);
  // Only our own word holds the agent; a fault of ours (a damaged file, a missing module) must not.
  const guarded = `"$@"; [ $? -ne ${held} ]`;
  const opened = 'file=$1; shift; pid=$("$@") && echo "$pid" >"$file"';
  const open = [
    "/bin/sh",
    "-c",
    opened,
    "mosaic",
    place.server,
    of.tmux,
    ...opener,
    ";",
    "display-message",
    "-p",
    "#{pid}",
  ];
  const isThere = '. "$1" && kill -0 "$pid" || exit 0; shift; exec "$@"';
  return `# Written by mosaic fleet; edits are lost. Add to it with: systemctl --user edit
[Unit]
Description=Mosaic Fleet agent %i (${of.home.root.replaceAll("%", "%%")})
StartLimitIntervalSec=120
StartLimitBurst=12

[Service]
Type=forking
PIDFile=${place.server.replaceAll("%", "%%").replaceAll(instance, "%i")}
Slice=mosaic.slice
EnvironmentFile=-${of.home.environment.replaceAll("%", "%%")}
ExecCondition=${line(["/bin/sh", "-c", guarded, "mosaic", ...call(of, "fleet", "unit", "begin", instance)])}
ExecStart=${line(["/usr/bin/env", "-i", ...env, ...open])}
ExecStop=-${line(["/bin/sh", "-c", isThere, "mosaic", place.pid, ...call(of, "fleet", "unit", "end", instance)])}
KillMode=mixed
Restart=always
RestartSec=50ms
TimeoutStartSec=${longestWaitMs / 1_000 + 30}
TimeoutStopSec=30
OOMPolicy=kill

[Install]
WantedBy=default.target
`;
}

/**
 * The daemon's unit. Agents are none of its processes, and must not become any by an accident. It is never given up: one
 * that was called by hand may hold its place for a day.
 */
export function daemonText(of: Installation): string {
  return `# Written by mosaic fleet; edits are lost. Add to it with: systemctl --user edit
[Unit]
Description=Mosaic Fleet daemon (${of.home.root.replaceAll("%", "%%")})
StartLimitIntervalSec=0

[Service]
Type=exec
EnvironmentFile=-${of.home.environment.replaceAll("%", "%%")}
ExecStart=${line(call(of, "fleet", "serve"))}
KillMode=process
Restart=always
RestartSec=5
TimeoutStopSec=20

[Install]
WantedBy=default.target
`;
}

/** What one agent may use; undefined where nothing is limited. */
export function limitsText({ memory, cpu, tasks }: Limits): string | undefined {
  const lines = [
    ...(memory === undefined ? [] : [`MemoryMax=${memory}`]),
    ...(cpu === undefined ? [] : [`CPUQuota=${cpu}`]),
    ...(tasks === undefined ? [] : [`TasksMax=${tasks}`]),
  ];
  return lines.length === 0
    ? undefined
    : `# Written by mosaic fleet from the roster's limits.\n[Service]\n${lines.join("\n")}\n`;
}
