import type { Agent } from "../../contract/agent.ts";
import { writeAtomic } from "../../lib/atomic.ts";
import type { Desk, Found } from "../harness.ts";
import type { OpenDesk } from "./open.ts";

/** Codex's own words for what an agent may do without asking; what goes beyond is asked in its terminal. */
const floors = {
  read: { sandbox: "read-only", approvalPolicy: "on-request" },
  edit: { sandbox: "workspace-write", approvalPolicy: "on-request" },
  full: { sandbox: "danger-full-access", approvalPolicy: "never" },
} as const satisfies Record<Agent["permissions"], object>;

/**
 * The agent is the app-server, private to it: it holds the conversation, and its end is the agent's end. Beside it in
 * the same terminal a shell opens the conversation and shows it, again whenever the view ends: a person who leaves
 * Codex, or a view that is killed, ends no work.
 */
const script = `
socket=$1 desk=$2 opener=$3 node=$4 log=$5 sandbox=$6 approval=$7 thread=
shift 7
# The socket is a link to one in a folder of Codex's; a killed server leaves both.
rm -f "$(readlink "$socket")" "$socket"
exec 3<&0
(
  while kill -0 $$ 2>/dev/null; do
    # In the background: it stays beside the view until that has joined.
    # Away from the terminal: Node would set that back, at its end, to what it was before the view.
    opened=$("$node" "$opener" "$desk" $$ 2>"\${log%/*}/opener.log" &)
    [ -z "$opened" ] || thread=$opened
    [ -n "$thread" ] || { kill $$; exit 1; }
    "$@" --remote "unix://$socket" --no-alt-screen resume "$thread" <&3
    sleep 1
  done
) &
exec "$@" -c "$sandbox" -c "$approval" app-server --listen "unix://$socket" </dev/null >"$log" 2>&1 3<&-
`;

/** The command line of an agent, and the files that it needs. */
export function prepareLaunch(desk: Desk, found: Found, program: readonly string[]): [string, ...string[]] {
  const { agent, place } = desk;
  const { sandbox, approvalPolicy } = floors[agent.permissions];
  const told: OpenDesk = {
    agent: agent.name,
    socket: place.inbox,
    session: place.session,
    version: found.version,
    thread: {
      cwd: agent.workdir,
      sandbox,
      approvalPolicy,
      developerInstructions: roleText(desk),
      ...(agent.model !== undefined && { model: agent.model }),
    },
  };
  const deskFile = `${place.dir}/desk.json`;
  writeAtomic(deskFile, JSON.stringify(told));
  // For the server and for the view alike.
  const settings = [
    // A login shell would read /etc/profile, which forgets where `mosaic` is.
    "allow_login_shell=false",
    "check_for_update_on_startup=false",
    "analytics.enabled=false",
    "feedback.enabled=false",
    `projects.${JSON.stringify(agent.workdir)}.trust_level="trusted"`,
  ].flatMap((setting) => ["-c", setting]);
  const files = [place.inbox, deskFile, desk.assets.codexOpener, desk.node, `${place.dir}/app-server.log`];
  // The server's alone: a view that names them is refused, and one that finds others there would set those.
  const floor = [`sandbox_mode="${sandbox}"`, `approval_policy="${approvalPolicy}"`];
  return ["/bin/sh", "-c", script, "codex", ...files, ...floor, ...program, ...settings, ...agent.args];
}

const roleText = ({ agent, fleet }: Desk): string =>
  `You are ${agent.name}, the ${agent.role} in the fleet "${fleet}". Other agents and people reach you by messages; ` +
  `\`mosaic fleet ps\` lists the agents, \`mosaic fleet send NAME "text"\` in your shell writes to one.` +
  (agent.prompt ? `\n\n${agent.prompt}` : "");
