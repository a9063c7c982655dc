import type { AgentPlace } from "../contract/home.ts";
import { quote } from "../lib/quote.ts";

/**
 * The script that runs in an agent's terminal and outlives every mosaic process. It sets the whole environment, says
 * which process the agent is, waits for it, and keeps its last screen and its own exit code (tmux always ends with 0).
 * A shell, since a Node process per agent would cost 40 MB each.
 */
export function launchScript(
  place: AgentPlace,
  launch: { argv: readonly string[]; cwd: string; env: Readonly<Record<string, string>> },
): string {
  const exports = Object.entries(launch.env).map(([key, value]) => `export ${key}=${quote(value)}`);
  // Field 22 of stat is the start time; exec keeps pid and start, so they are the agent's own.
  const record = `read -r _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ start _ </proc/$$/stat
printf 'pid=%s\\nstart=%s\\nwrapper=%s\\nserver=%s\\n' "$$" "$start" "$PPID" "$1" >"$0.tmp" && mv -f "$0.tmp" "$0"
shift
exec "$@"`;
  return `#!/bin/sh
# Written by mosaic fleet at each launch; edits are lost. Change the roster instead.
${exports.join("\n")}
keep() { printf 'code=%s\\n' "$1" >${quote(`${place.exit}.tmp`)} && mv -f ${quote(`${place.exit}.tmp`)} ${quote(place.exit)}; }
rm -f ${quote(place.exit)}
cp -f ${quote(place.prepared)} ${quote(`${place.launched}.tmp`)} 2>/dev/null && mv -f ${quote(`${place.launched}.tmp`)} ${quote(place.launched)}
# A lost terminal hangs up on this shell alone (it leads the session); by dying of it, it hangs up on the agent too.
trap : TERM INT QUIT
cd ${quote(launch.cwd)} || { keep 78; exit 78; }
/bin/sh -c ${quote(record)} ${quote(place.pid)} "$PPID" ${launch.argv.map(quote).join(" ")}
code=$?
tmux -u -S ${quote(place.terminal)} capture-pane -p -J -S -200 -t "$TMUX_PANE" >${quote(`${place.screen}.tmp`)} 2>/dev/null &&
  mv -f ${quote(`${place.screen}.tmp`)} ${quote(place.screen)}
keep "$code"
exit "$code"
`;
}
