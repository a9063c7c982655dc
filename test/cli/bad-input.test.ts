import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import { expect, test } from "vitest";

import { bin, makeRig, rosterOf } from "../rig.ts";

const mos = "{ name: mos, role: orchestrator, runtime: command, command: [sleep, '1000'], workdir: ~/work }";
/** One clear sentence, and the line to type. */
const clear = (err: string) => /^[^\n]+[^\n]*\n(?:[^\n]+\n)*Next: .+\n$/.test(err) && !/\bat .*\.(js|ts):\d/.test(err);

test.for(["a;b", "../x", "%i", "#(id)", "-t", "Mos", "a.b", "a b", "", "x".repeat(33), "1st", "co\nmo"])(
  "the name %j is refused in a roster and as an argument, and nothing happens",
  async (name) => {
    const rig = makeRig();
    rig.roster(rosterOf(mos, `{ name: ${JSON.stringify(name)}, runtime: command, command: [sleep, '1'] }`));
    const planned = await rig.fleet("plan");
    expect([planned.code, clear(planned.err)]).toEqual([6, true]);
    expect(planned.err).toContain("roster.yaml:5:");
    rig.roster(rosterOf(mos));
    for (const verb of ["start", "stop", "restart", "explain", "tail", "attach", "watch", "interrupt", "status"]) {
      const ran = await rig.fleet(verb, "--", name);
      expect([verb, ran.code, clear(ran.err)]).toEqual([verb, 3, true]);
    }
    expect((await rig.fleet("send", "--", name, "hi")).code).toBe(3);
    expect(existsSync(rig.home.agents)).toBe(false);
  },
);

test.for<[string, string, number]>([
  ["an unknown runtime", rosterOf(mos, "{ name: co, runtime: vim }"), 6],
  ["two orchestrators", rosterOf(mos, "{ name: co, role: orchestrator, runtime: pi }"), 6],
  ["no orchestrator", rosterOf("{ name: co, runtime: pi }"), 6],
  ["the same name twice", rosterOf(mos, mos.replace("orchestrator", "worker")), 6],
  ["half a file", rosterOf(mos).slice(0, 45), 6],
  ["an empty file", "", 6],
  ["no YAML at all", "{{{{", 6],
  ["another version", rosterOf(mos).replace("version: 1", "version: 2"), 6],
  ["command without a command", rosterOf("{ name: mos, role: orchestrator, runtime: command }"), 6],
  ["a command for pi", rosterOf("{ name: mos, role: orchestrator, runtime: pi, command: [x] }"), 6],
  ["our own variables", rosterOf(mos.replace("}", ", env: { MOSAIC_AGENT: x } }")), 6],
])("%s: one clear sentence with line and column, and nothing changed", async ([, text, code]) => {
  const rig = makeRig();
  rig.roster(text);
  for (const verb of ["ps", "plan", "start", "apply", "verify"]) {
    const ran = await rig.fleet(verb);
    expect([verb, ran.code, clear(ran.err), ran.out]).toEqual([verb, code, true, ""]);
    expect(ran.err).toMatch(/roster\.yaml:\d+:\d+: /);
  }
  expect((await rig.fleet("doctor")).code).toBe(4);
  expect(rig.rosterText()).toBe(text);
  expect(existsSync(rig.home.agents)).toBe(false);
});

test("a missing work folder and a missing program are named, before anything is started", async () => {
  const rig = makeRig();
  rig.roster(rosterOf(mos, "{ name: co, runtime: command, command: [sleep, '9'], workdir: ~/gone }"));
  const folder = await rig.fleet("start");
  expect([folder.code, folder.err]).toEqual([
    3,
    `The work folder of co does not exist: ${rig.root}/gone.\nNext: mkdir -p '${rig.root}/gone'\n`,
  ]);
  rig.roster(rosterOf(mos, "{ name: co, runtime: command, command: [no-such-program], workdir: ~/work }"));
  const program = await rig.fleet("start");
  expect([program.code, program.err.split("\n")[0]]).toEqual([
    3,
    "co needs no-such-program, which is not on the search path.",
  ]);
  expect((await rig.ps()).map((agent) => agent.state)).toEqual(["stopped", "stopped"]);
  expect((await rig.fleet("doctor")).code).toBe(4);
  const pi = await rig.mosaic(["fleet", "start"], { env: { PATH: "/usr/bin:/bin" } });
  expect(pi.code).toBe(3);
});

test("a secret without a value is named; with one it reaches that agent only", async () => {
  const rig = makeRig();
  rig.roster(
    rosterOf(mos.replace("}", ", secrets: [MY_KEY] }"), mos.replace("mos", "co").replace("orchestrator", "worker")),
  );
  const ran = await rig.fleet("start");
  expect([ran.code, ran.err.split("\n")[0]]).toEqual([3, "The secret MY_KEY has no value."]);
  mkdirSync(rig.home.secrets, { recursive: true, mode: 0o700 });
  writeFileSync(join(rig.home.secrets, "env"), "OTHER=x\nMY_KEY='canary value'\n", { mode: 0o600 });
  expect((await rig.fleet("start")).code).toBe(0);
  const environ = async (name: string) => readFileSync(`/proc/${(await rig.agent(name)).pid}/environ`, "utf8");
  expect(await environ("mos")).toContain("MY_KEY=canary value\0");
  expect(await environ("co")).not.toContain("canary");
});

test("damaged records: unknown is said, start and stop mend it, and there is never a second process", async () => {
  const rig = makeRig();
  const unique = `${rig.root}/lives`;
  const lives = () => spawnSync("pgrep", ["-fc", `/tail -F ${unique}`], { encoding: "utf8" }).stdout.trim();
  rig.roster(rosterOf(mos, `{ name: co, runtime: command, command: [tail, -F, ${unique}], workdir: ~/work }`));
  await rig.fleet("start");
  for (const torn of ["", "{", "null", "[]", '{"want":7}']) {
    writeFileSync(rig.place("co").unit, torn);
    expect((await rig.agent("co")).state, torn).toBe("unknown");
    expect([(await rig.fleet("stop", "co")).code, lives()]).toEqual([0, "0"]);
    expect((await rig.agent("co")).state).toBe("stopped");
    writeFileSync(rig.place("co").unit, torn);
    expect([(await rig.fleet("start", "co")).code, lives()]).toEqual([0, "1"]);
    expect((await rig.agent("co")).state).toBe("running");
  }
  for (const torn of ["", "null", "{", "7"]) {
    for (const file of [rig.place("co").launched, rig.place("co").prepared, join(rig.home.cache, "roster.json")]) {
      writeFileSync(file, torn);
      expect((await rig.agent("co")).state).toBe("running");
    }
  }
  rmSync(rig.place("co").pid);
  await rig.settled("co", (agent) => agent.state === "running");
  expect(lives()).toBe("1");
  writeFileSync(join(rig.home.agents, "x"), "not a folder");
  expect((await rig.ps()).map((agent) => agent.name)).toEqual(["mos", "co"]);
  expect([(await rig.fleet("stop")).code, lives()]).toEqual([0, "0"]);
  rmSync(rig.home.roster);
  mkdirSync(rig.home.roster);
  const folder = await rig.fleet("ps");
  expect([folder.code, folder.err.split("\n")[0]]).toEqual([
    4,
    `Cannot read ${rig.home.roster}: it is not a file. Nothing was changed.`,
  ]);
  rmSync(rig.home.roster, { recursive: true });
});

test("an almost right name or verb is suggested", async () => {
  const rig = makeRig();
  rig.roster(rosterOf(mos));
  expect((await rig.fleet("explain", "mso")).err).toContain("Did you mean mos?");
  const verb = await rig.fleet("strat");
  expect([verb.code, verb.err.includes("Did you mean start?")]).toEqual([2, true]);
  for (const [words, meant] of [
    ["approvals alow mos/1", "allow"],
    ["connect pair aprove K7QM2RXA", "approve"],
  ] as const) {
    const within = await rig.fleet(...words.split(" "));
    expect([within.code, within.err]).toEqual([2, expect.stringContaining(`Did you mean ${meant}?`)]);
  }
  expect((await rig.fleet("approvals", "nothing-like-it")).err).not.toContain("Did you mean");
  expect((await rig.fleet("tail", "mos", "-n", "x")).code).toBe(2);
  expect((await rig.fleet("send", "mos", "")).code).toBe(2);
  expect((await rig.fleet("send", "mos")).code).toBe(2);
  expect((await rig.fleet("send", "mos", "hi", "--timeout", "soon")).code).toBe(2);
  expect((await rig.fleet("send", "--role", "boss", "hi")).code).toBe(2);
  expect((await rig.fleet("inbox", "--state", "lost")).code).toBe(2);
  expect((await rig.fleet("inbox", "show", "nowhere")).code).toBe(3);
  expect((await rig.mosaic(["--mosaic-home"])).code).toBe(2);
});

const root = process.getuid?.() === 0;
/** Runs the CLI with its home on a file system made for it: tiny, or read-only; `look` sees that file system afterwards. */
function onMount(home: string, mount: string, args: readonly string[], look = "true") {
  const line = `mkdir -p ${home}/.config/mosaic && ${mount} && { '${process.execPath}' '${bin}' ${args.join(" ")}; code=$?; ${look}; exit $code; }`;
  return spawnSync("unshare", ["-m", "--propagation", "private", "sh", "-c", line], {
    env: { PATH: process.env["PATH"] ?? "", HOME: home, TERM: "dumb" },
    encoding: "utf8",
  });
}

test.runIf(root)("a full disk: said in one sentence, exit 4, and nothing half-written is left", () => {
  const rig = makeRig();
  const dir = `${rig.root}/.config/mosaic`;
  const fill = `mount -t tmpfs -o size=16k tmpfs ${dir} && mkdir ${dir}/fleet && (dd if=/dev/zero of=${dir}/fill bs=4k count=9 2>/dev/null; true)`;
  const look = `find ${dir} -name 'roster*' -o -name '.*tmp'; echo looked`;
  const ran = onMount(rig.root, fill, ["fleet", "init", "--type", "coding", "--workdir", rig.root, "--yes"], look);
  expect(ran.stderr).toMatch(/^Cannot .*: no space is left on the disk\. Nothing was changed\.\nNext: /m);
  expect([ran.status, ran.stdout.split("\n").slice(-2)]).toEqual([4, ["looked", ""]]);
  expect(ran.stdout).not.toMatch(/roster\.yaml|tmp$/m);
});

test.runIf(root)("a full disk: a message is refused with a reason, and none is half there", () => {
  const rig = makeRig();
  rig.roster(rosterOf(mos));
  const dir = `${rig.root}/.config/mosaic`;
  const keep = `cp -a ${dir}/. ${rig.root}/kept && mount -t tmpfs -o size=400k tmpfs ${dir} && cp -a ${rig.root}/kept/. ${dir}`;
  const fill = `mkdir -p ${rig.root}/kept && ${keep} && '${process.execPath}' '${bin}' fleet send mos first && (dd if=/dev/zero of=${dir}/fill bs=4k 2>/dev/null; true)`;
  const look = `rm ${dir}/fill; '${process.execPath}' '${bin}' fleet inbox --json`;
  const ran = onMount(rig.root, fill, ["fleet", "send", "mos", "x".repeat(50_000)], look);
  expect(ran.stderr).toMatch(/no space is left on the disk/);
  expect(ran.status).toBe(4);
  const { messages } = JSON.parse(ran.stdout) as { messages: { text: string }[] };
  expect(messages.map((message) => message.text)).toEqual(["first"]);
});

test.runIf(root)("a read-only home: said in one sentence, exit 4", () => {
  const rig = makeRig();
  const dir = `${rig.root}/.config/mosaic`;
  const ran = onMount(rig.root, `mount -t tmpfs -o ro tmpfs ${dir}`, ["fleet", "init", "--workdir", rig.root, "--yes"]);
  expect([ran.status, ran.stderr]).toEqual([
    4,
    expect.stringMatching(/^Cannot .*: the file system is read-only\. Nothing was changed\.\nNext: /m),
  ]);
});

test.runIf(root)("a read-only home: reading verbs still read", async () => {
  const rig = makeRig();
  rig.roster(rosterOf(mos));
  const dir = `${rig.root}/.config/mosaic`;
  const ran = onMount(rig.root, `mount --bind ${dir} ${dir} && mount -o remount,ro,bind ${dir}`, ["fleet", "ps"]);
  expect([ran.status, ran.stdout.includes("stopped")]).toEqual([0, true]);
  const start = onMount(rig.root, `mount --bind ${dir} ${dir} && mount -o remount,ro,bind ${dir}`, ["fleet", "start"]);
  expect([start.status, clear(start.stderr)]).toEqual([4, true]);
});

test("a socket folder that somebody else could enter is not used", async () => {
  const rig = makeRig();
  rig.roster(rosterOf(mos));
  mkdirSync(rig.home.sockets, { recursive: true, mode: 0o777 });
  expect((await rig.fleet("start")).code).toBe(0);
  expect(spawnSync("stat", ["-c", "%a", rig.home.sockets], { encoding: "utf8" }).stdout.trim()).toBe("700");
});

test("completions: scripts for three shells, verbs, options and the fleet's own agents", async () => {
  const rig = makeRig();
  rig.roster(rosterOf(mos));
  for (const shell of ["bash", "zsh", "fish"]) expect((await rig.mosaic(["complete", shell])).out).toContain("mosaic");
  expect((await rig.mosaic(["complete", "tcsh"])).code).toBe(2);
  const offered = async (...words: string[]) => (await rig.mosaic(["complete", "--", ...words])).out;
  expect(await offered("fleet", "")).toContain("start");
  expect(await offered("fleet", "init", "--runtime", "")).toContain("pi");
  expect(await offered("fleet", "attach", "")).toContain("mos");
  rig.roster(`${rosterOf(mos)}connectors: { work: { platform: discord } }\n`);
  expect(await offered("fleet", "connect", "test", "")).toContain("work");
  expect(await offered("fleet", "approvals", "allow", "")).toContain("mos");
  expect(spawnSync("bash", ["-n"], { input: (await rig.mosaic(["complete", "bash"])).out }).status).toBe(0);
});

test.for<[string[], string]>([
  [["flet"], "mosaic --help"],
  [["fleet", "strt"], "mosaic fleet --help"],
  [["fleet", "init", "--ur"], "mosaic fleet init --help"],
  [["fleet", "connect", "pair"], "mosaic fleet connect pair --help"],
])("%j is no command: the help of as much of it as is one comes next", async ([argv, help]) => {
  const ran = await makeRig().mosaic(argv);
  expect([ran.code, ran.out, ran.err.split("\n").at(-2)]).toEqual([2, "", `Next: ${help}`]);
});

test.for(["a;b", "../x", "%i", "#(id)", "$(id)", "-t", "", "co\nmo", "x".repeat(33)])(
  "%j is refused as an account's name and as an id, and nothing of it is kept",
  async (enemy) => {
    const rig = makeRig();
    rig.roster(rosterOf(mos));
    writeFileSync(join(rig.root, "token"), "canary.token.0123456789");
    const add = (flags: string[]) =>
      rig.fleet("connect", "add", "discord", "--token-file", join(rig.root, "token"), ...flags);
    for (const flags of [
      [`--name=${enemy}`],
      [`--guild=${enemy}`],
      ["--guild=1", `--channel=${enemy}`],
      [`--owner=${enemy}`],
      [`--user=${enemy}`],
    ]) {
      const ran = await add(flags);
      expect([flags, ran.code, clear(ran.err), ran.out]).toEqual([flags, 2, true, ""]);
    }
    for (const words of [["test"], ["remove"], ["token", "--token-file", join(rig.root, "token")], ["pair"]]) {
      const ran = await rig.fleet("connect", ...words, "--", enemy);
      expect([words, ran.code, clear(ran.err), ran.out]).toEqual([words, 3, true, ""]);
    }
    expect(rig.rosterText()).toBe(rosterOf(mos));
    expect(existsSync(rig.home.secrets)).toBe(false);
  },
);
