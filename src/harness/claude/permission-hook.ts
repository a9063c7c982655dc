import { quote } from "../../lib/quote.ts";
import type { Desk } from "../harness.ts";

/** How long a question may stay open, in seconds: what a timer of 31 bits of ms can count. Then only the terminal is left. */
export const askedForS = 24 * 86_400;

/** Tools that ask a person something which is no permission: what they ask has more answers than two. */
const conversing = ["AskUserQuestion", "ExitPlanMode"];

/** Where its open questions lie. */
export const questionsOf = ({ place }: Pick<Desk, "place">): string => `${place.dir}/questions`;

/** What Claude Code reads of a hook that decides for it. */
const decided = (decision: object): string =>
  quote(JSON.stringify({ hookSpecificOutput: { hookEventName: "PermissionRequest", decision } }));

/**
 * Claude Code runs it whenever it asks for a permission, shows its dialog meanwhile, and takes whichever answer is first.
 * So it puts the question where we find it and waits for an answer there; a signal (USR1) says that there is one.
 *
 * Claude Code ends it where the dialog was put away, but leaves it where a person allowed in the terminal, or when it is
 * killed itself. So it looks too, at 5 s at last, whether its Claude Code still lives and still waits since the same
 * moment: one short `sleep` each time, and nothing else while a dialog is open.
 *
 * A subagent's question it leaves to the terminal: Claude Code shows no dialog for one in the background before this ends.
 * Plain sh: neither jq nor Node may be on an agent's search path.
 */
export const permissionScript = (spooling: string, folder: string, config: string): string => `${spooling}
case $event in
${[...conversing.map((tool) => `"tool_name":"${tool}"`), '"agent_id":'].map((part) => `*'${part}'*`).join(" | ")}) exit 0 ;;
esac
PATH=$PATH:/usr/bin:/bin
look() {
  stat= state= started=
  read -r stat <"/proc/$1/stat" || return
  set -- \${stat##*) }
  state=$1
  shift 19
  started=$1
}
read -r id </proc/sys/kernel/random/uuid
mkdir -p ${quote(folder)} && [ -n "$id" ] || exit 0
ask=${quote(folder)}/\${id%-*-*-*}
nap=
trap 'rm -f "$ask.json" "$ask.tmp"; [ -z "$nap" ] || kill "$nap"; exit 0' HUP INT TERM
trap : USR1
look $PPID
claude=$started
look $$
printf '{"claude":{"pid":%s,"started":"%s"},"hook":{"pid":%s,"started":"%s"},"event":%s}\\n' \\
  "$PPID" "$claude" "$$" "$started" "$event" >"$ask.tmp" && mv -f "$ask.tmp" "$ask.json" || { rm -f "$ask.tmp"; exit 0; }
pause=1 since= missed=0
while :; do
  if [ -f "$ask.answer" ]; then
    read -r word <"$ask.answer"
    case $word in
    allow) printf '%s\\n' ${decided({ behavior: "allow" })} ;;
    deny) printf '%s\\n' ${decided({ behavior: "deny", message: "A person was asked and did not allow it." })} ;;
    esac
    rm -f "$ask.answer"
    break
  fi
  sleep $pause </dev/null >/dev/null &
  nap=$!
  wait $nap
  case $? in
  0) nap= ;;
  126 | 127) break ;;
  *) kill $nap; continue ;;
  esac
  [ $pause -ge 5 ] || pause=$((pause + 1))
  look $PPID
  [ "$started" = "$claude" ] && [ "$state" != Z ] || break
  said=
  while read -r line || [ -n "$line" ]; do said=$said$line; done <${quote(config)}/sessions/$PPID.json
  case $said in
  *'"status":"waiting"'*)
    said=\${said#*\\"statusUpdatedAt\\"}
    said=\${said%%,*}
    [ "\${since:=$said}" = "$said" ] || break
    missed=0
    ;;
  *) [ $((missed += 1)) -lt 2 ] || break ;;
  esac
done
rm -f "$ask.json"
exit 0
`;
