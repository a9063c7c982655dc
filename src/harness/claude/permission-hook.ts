import { quote } from "../../lib/quote.ts";
import type { Desk } from "../harness.ts";

/** How long a question may stay open, in seconds: what a timer of 31 bits of ms can count. Then only the terminal is left. */
export const askedForS = 24 * 86_400;

/** How long after their last key a person counts as being at the terminal, in seconds. */
const attendsS = 60;

/** Where its open questions lie. */
export const questionsOf = ({ place }: Pick<Desk, "place">): string => `${place.dir}/questions`;

/**
 * Claude Code runs it whenever it asks for something, shows its dialog meanwhile, and takes whichever answer is first.
 * So it puts the question where we find it and waits for an answer there, which it prints as it is; a signal (USR1) says
 * that there is one.
 *
 * Claude Code ends it where the dialog was put away, but leaves it where a person allowed in the terminal, or when it is
 * killed itself. So it looks too, at 5 s at last, whether its Claude Code still lives and still waits since the same
 * moment: one short `sleep` each time, and nothing else while a dialog is open.
 *
 * For a subagent in the background Claude Code opens no dialog before this ends. So for one of those it waits while nobody
 * is at the terminal, and ends as soon as somebody is: then the dialog opens there. Claude Code writes down which subagents
 * are in the background; where it does not, the question is over here when it sees that no dialog is open.
 *
 * Plain sh: neither jq nor Node may be on an agent's search path.
 */
export const permissionScript = (spooling: string, { place, agent }: Desk, config: string): string => `${spooling}
PATH=$PATH:/usr/bin:/bin
look() {
  stat= state= started=
  read -r stat <"/proc/$1/stat" || return
  set -- \${stat##*) }
  state=$1
  shift 19
  started=$1
}
# Somebody who may type there, and has lately; or nobody can say.
attended() {
  clients=$(tmux -S ${quote(place.terminal)} list-clients -t ${quote(`=${agent.name}:`)} -F '#{client_readonly} #{client_activity}') || return 0
  now=$(date +%s)
  set -- $clients
  while [ $# -ge 2 ]; do
    [ "$1" != 0 ] || [ $((now - $2)) -ge ${attendsS} ] || return 0
    shift 2
  done
  return 1
}
# What Claude Code says of whoever asks stands before what is asked.
head=\${event%%'"hook_event_name":'*}
background=false
case $head in
*'"agent_id":"'*)
  meta=\${head#*'"transcript_path":"'}
  subagent=\${head#*'"agent_id":"'}
  shape=
  read -r shape <"\${meta%%'.jsonl"'*}/subagents/agent-\${subagent%%'"'*}.meta.json"
  case $shape in *'"requestShape":"background"'*) background=true ;; esac
  ;;
esac
! $background || ! attended || exit 0
read -r id </proc/sys/kernel/random/uuid
mkdir -p ${quote(questionsOf({ place }))} && [ -n "$id" ] || exit 0
ask=${quote(questionsOf({ place }))}/\${id%-*-*-*}
nap=
trap 'rm -f "$ask.json" "$ask.tmp"; [ -z "$nap" ] || kill "$nap"; exit 0' HUP INT TERM
trap : USR1
look $PPID
claude=$started
look $$
printf '{"claude":{"pid":%s,"started":"%s"},"hook":{"pid":%s,"started":"%s"},"background":%s,"event":%s}\\n' \\
  "$PPID" "$claude" "$$" "$started" $background "$event" >"$ask.tmp" && mv -f "$ask.tmp" "$ask.json" || { rm -f "$ask.tmp"; exit 0; }
pause=1 since= missed=0
while :; do
  if [ -f "$ask.answer" ]; then
    answer=$(cat "$ask.answer")
    case $answer in '{'*) printf '%s\\n' "$answer" ;; esac
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
  if $background; then
    ! attended || break
    continue
  fi
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
