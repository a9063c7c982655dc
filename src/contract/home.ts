import { join, resolve } from "node:path";

/** Every path of one fleet, computed here and nowhere else, and handed on. */
export interface Home {
  /** The person's home folder: what `~` in a roster means. */
  user: string;
  /** `$MOSAIC_HOME`. */
  root: string;
  fleet: string;
  roster: string;
  presets: string;
  /** Where beats live (`MOSAIC_HEARTBEAT_RUN_DIR`). */
  run: string;
  agents: string;
  secrets: string;
  log: string;
  locks: string;
  bin: string;
  cache: string;
  /** The environment in which the person last started something: what agents may have of it. */
  environment: string;
  /** The database of messages. */
  messages: string;
  /** The database of chats: what came in, what goes out; and this machine's own chat. */
  chat: string;
  console: string;
  /** Files that came by chat, and answers too long for one. */
  files: string;
  /** The daemon's socket. */
  api: string;
  /** systemd's folder for the person's own units. */
  units: string;
  /** Unix sockets. In the home where the path is short enough for the kernel, else in a private folder of this home below /tmp. */
  sockets: string;
}

/** What of one agent lies on disk. */
export interface AgentPlace {
  dir: string;
  /** `key=value` lines by the launch wrapper: `pid`, `start` of the agent's process. */
  pid: string;
  /** The process of its terminal server, by the unit, for systemd. */
  server: string;
  /** The agent's own exit code, by the launch wrapper. */
  exit: string;
  /** The last screen before it ended, by the launch wrapper. */
  screen: string;
  script: string;
  /** The supervisor's durable record. */
  unit: string;
  /** What the next launch will run; the launch script copies it to `launched` as it begins, so drift is never hidden. */
  prepared: string;
  launched: string;
  /** The harness's own conversation: id and file. */
  session: string;
  /** Native events and message receipts. */
  journal: string;
  prompt: string;
  terminal: string;
  inbox: string;
}

/** Bytes a socket's path may have on every system (104 on some, 108 on Linux), and what an agent's adds to its folder. */
const socketLimit = 100;
const longestSocket = "/".length + 32 + ".inbox".length;

/** Lays out a home. Pure: reads no environment and no disk. */
export function layHome(facts: {
  mosaicHome: string | undefined;
  userHome: string;
  runDir: string | undefined;
  uid: number;
  configHome?: string | undefined;
}): Home {
  const root = resolve(facts.mosaicHome ?? join(facts.userHome, ".config", "mosaic"));
  const fleet = join(root, "fleet");
  const inHome = join(fleet, "sockets");
  // Not below /run/user: that folder goes with the last login, and the agents stay.
  const sockets = inHome.length + longestSocket <= socketLimit ? inHome : `/tmp/mosaic-${facts.uid}-${markOf(root)}`;
  return {
    user: facts.userHome,
    root,
    fleet,
    roster: join(fleet, "roster.yaml"),
    presets: join(fleet, "presets"),
    run: facts.runDir === undefined ? join(fleet, "run") : resolve(facts.runDir),
    agents: join(fleet, "agents"),
    secrets: join(fleet, "secrets"),
    log: join(fleet, "log"),
    locks: join(fleet, "locks"),
    bin: join(fleet, "bin"),
    cache: join(fleet, "cache"),
    messages: join(fleet, "fleet.db"),
    chat: join(fleet, "chat.db"),
    console: join(fleet, "console.db"),
    files: join(fleet, "files"),
    api: `${sockets}/fleet.api`,
    environment: join(fleet, "environment"),
    units: join(facts.configHome ?? join(facts.userHome, ".config"), "systemd", "user"),
    sockets,
  };
}

/** A short name for a long path. Loaded where it is needed: few homes are so deep, and crypto costs 5 ms to load. */
function markOf(root: string): string {
  return process.getBuiltinModule("node:crypto").createHash("sha256").update(root).digest("hex").slice(0, 10);
}

/** Where one agent's files are. The name must have passed the roster's rule, so it cannot leave the folder. */
export function agentPlace(home: Home, name: string): AgentPlace {
  const dir = `${home.agents}/${name}`;
  return {
    dir,
    pid: `${dir}/pid`,
    server: `${dir}/server`,
    exit: `${dir}/exit`,
    screen: `${dir}/screen`,
    script: `${dir}/launch.sh`,
    unit: `${dir}/unit.json`,
    prepared: `${dir}/prepared.json`,
    launched: `${dir}/launched.json`,
    session: `${dir}/session.json`,
    journal: `${dir}/journal.jsonl`,
    prompt: `${dir}/prompt.md`,
    terminal: `${home.sockets}/${name}.tmux`,
    inbox: `${home.sockets}/${name}.inbox`,
  };
}
