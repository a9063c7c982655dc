import { existsSync, mkdirSync, readFileSync, readdirSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import { describe, expect, test } from "vitest";

import { parseRoster } from "../../src/roster/load.ts";
import { makeRig, rosterOf, type Rig } from "../rig.ts";
import { typedIn } from "../typed.ts";

const leads = (rig: Rig) =>
  parseRoster(rig.rosterText(), "r", rig.root).agents.filter((agent) => agent.role === "orchestrator");

describe("unattended", () => {
  test.for(["general", "coding", "research", "hybrid"])(
    "%s: a valid roster with exactly one orchestrator, without reading stdin",
    async (type) => {
      const rig = makeRig();
      const ran = await rig.mosaic(["fleet", "init", "--type", type, "--name", "acme", "--yes"], { openStdin: true });
      expect([ran.code, ran.err.includes("Next: mosaic fleet start")]).toEqual([0, true]);
      expect(leads(rig)).toHaveLength(1);
      expect(parseRoster(rig.rosterText(), "r", rig.root)).toMatchObject({ fleet: "acme", preset: type, warnings: [] });
      expect(
        parseRoster(rig.rosterText(), "r", rig.root).agents.every((agent) => agent.workdir === join(rig.root, "work")),
      ).toBe(true);
      expect(statSync(rig.home.roster).mode & 0o777).toBe(0o600);
      expect(rig.rosterText()).toContain("#"); // the preset's comments came along
    },
  );

  test("--dry-run and no terminal leave no trace", async () => {
    const rig = makeRig();
    expect((await rig.fleet("init", "--dry-run")).err).toContain("Nothing was written");
    const bare = await rig.fleet("init");
    expect([bare.code, bare.err]).toEqual([
      2,
      "init asks questions, and this is no terminal.\nNext: mosaic fleet init --type coding --yes\n",
    ]);
    expect(existsSync(rig.home.root)).toBe(false);
  });

  test("a fallback is said before it is written: which agent, which runtime, instead of which", async () => {
    const rig = makeRig();
    writeFileSync(join(rig.root, "pi"), "#!/bin/sh\necho 0.87.1\n", { mode: 0o755 });
    const ran = await rig.mosaic(["fleet", "init", "--type", "coding", "--dry-run"], {
      env: { PATH: `${rig.root}:/usr/bin:/bin` },
    });
    expect(ran.err).toContain("mos gets pi: claude, which its preset likes best, is not to be had here.\n");
    expect(ran.err).not.toContain("coder gets");
    expect(ran.out).toMatch(/mos +orchestrator +pi/);
  });

  test("--json tells what was written", async () => {
    const rig = makeRig();
    const said = JSON.parse(
      (await rig.fleet("init", "--type", "coding", "--name", "acme", "--yes", "--json")).out,
    ) as object;
    expect(said).toMatchObject({
      version: 1,
      path: rig.home.roster,
      changed: true,
      written: true,
      fleet: "acme",
      type: "coding",
      diff: expect.stringContaining("+fleet: acme"),
    });
  });

  test("the flags decide the runtimes, and a missing CLI is named with the line that installs it", async () => {
    const rig = makeRig();
    const ran = await rig.mosaic(
      [
        "fleet",
        "init",
        "--type",
        "coding",
        "--runtime",
        "pi",
        "--orchestrator-runtime",
        "pi",
        "--supervisor",
        "builtin",
        "--yes",
      ],
      {
        env: { PATH: "/usr/bin:/bin" },
      },
    );
    expect(ran.err).not.toContain("likes best"); // it was the person's own choice
    expect(ran.err).toContain("pi is not installed. Next: npm install -g @earendil-works/pi-coding-agent");
    expect(rig.rosterText()).toContain("supervisor: builtin");
    expect((await rig.fleet("init", "--runtime", "vim", "--yes")).code).toBe(2);
    // What it would run nobody has said.
    expect((await rig.fleet("init", "--runtime", "command", "--yes")).code).toBe(2);
  });
});

describe("again", () => {
  const edited = `# mine
version: 1
fleet: acme    # keep
preset: coding
defaults: { workdir: ~/work }
x-note: [1,  2]
agents:
  # the boss
  - name: mos
    role: orchestrator
    runtime: pi
    prompt: "my own words"
  - { name: helper, runtime: command, command: [sleep, "9"] }  # mine too
`;

  test("unchanged is no change: not a byte, not even a new file", async () => {
    const rig = makeRig();
    await rig.fleet("init", "--type", "coding", "--yes");
    const { ino, mtimeMs } = statSync(rig.home.roster);
    const again = await rig.fleet("init", "--yes");
    expect(again.err).toContain("Nothing to change");
    expect((await rig.fleet("init", "--type", "coding", "--workdir", "~/work", "--yes")).err).toContain(
      "Nothing to change",
    );
    expect(statSync(rig.home.roster)).toMatchObject({ ino, mtimeMs });
  });

  test("only what was asked changes; comments, order, spaces and unknown keys stay", async () => {
    const rig = makeRig();
    rig.roster(edited);
    const ran = await rig.fleet("init", "--name", "other", "--yes");
    expect(ran.out).toContain("-fleet: acme    # keep\n+fleet: other    # keep");
    expect(rig.rosterText()).toBe(edited.replace("fleet: acme ", "fleet: other "));
  });

  test("another type brings its agents and takes the old preset's, and touches none of mine", async () => {
    const rig = makeRig();
    await rig.fleet("init", "--type", "coding", "--yes");
    const before = rig.rosterText();
    rig.roster(
      before.replace("agents:", "agents:\n  - { name: helper, runtime: command, command: [sleep, '9'] } # mine"),
    );
    expect((await rig.fleet("init", "--type", "research", "--yes")).code).toBe(0);
    const now = parseRoster(rig.rosterText(), "r", rig.root);
    expect(now.preset).toBe("research");
    expect(now.agents.map((agent) => agent.name).toSorted()).toEqual([
      "analyst",
      "critic",
      "helper",
      "mos",
      "scout",
      "writer",
    ]);
    expect(rig.rosterText()).toContain("command: [sleep, '9'] } # mine");
    expect(leads(rig)).toHaveLength(1);
  });

  test("a roster without defaults takes a work folder; a linked roster is written where it lies", async () => {
    const rig = makeRig();
    const text = rosterOf("{ name: mos, role: orchestrator, runtime: command, command: [sleep, '9'] }");
    mkdirSync(rig.home.fleet, { recursive: true });
    writeFileSync(join(rig.root, "dotfile.yaml"), text);
    symlinkSync(join(rig.root, "dotfile.yaml"), rig.home.roster);
    expect((await rig.fleet("init", "--workdir", "~/work", "--yes")).code).toBe(0);
    expect(readFileSync(join(rig.root, "dotfile.yaml"), "utf8")).toBe(`${text}defaults: { workdir: ~/work }\n`);
    expect((await rig.fleet("init", "--workdir", "", "--yes")).code).toBe(2);
  });

  test("a broken roster is not written over", async () => {
    const rig = makeRig();
    rig.roster("version: 1\nagents: [");
    const ran = await rig.fleet("init", "--name", "x", "--yes");
    expect([ran.code, rig.rosterText()]).toEqual([6, "version: 1\nagents: ["]);
  });
});

describe("presets of one's own", () => {
  const preset = (agents: string) =>
    `version: 1\nfleet: x\npreset: { name: mine, title: my kind, summary: it is mine }\ndefaults: { workdir: . }\nagents:\n${agents}`;

  test("a dropped file is offered; without an orchestrator one is put in, with two it is refused", async () => {
    const rig = makeRig();
    mkdirSync(rig.home.presets, { recursive: true });
    writeFileSync(
      join(rig.home.presets, "mine.yaml"),
      preset("  - { name: mos, runtime: command, command: [sleep, '9'] } # a worker\n"),
    );
    writeFileSync(
      join(rig.home.presets, "two.yaml"),
      preset("  - { name: a, role: orchestrator, runtime: pi }\n  - { name: b, role: orchestrator, runtime: pi }\n"),
    );
    writeFileSync(join(rig.home.presets, "torn.yaml"), "preset: {");
    const listed = await rig.fleet("preset", "list");
    expect(listed.out).toMatch(/mine +yours/);
    expect(listed.err).toContain("a and b are both orchestrator");
    expect(listed.err).toContain("torn.yaml:1:");
    expect((await rig.fleet("init", "--type", "mine", "--yes")).code).toBe(0);
    expect(leads(rig).map((agent) => agent.name)).toEqual(["orchestrator"]);
    expect(rig.rosterText()).toContain("command: [sleep, '9'] } # a worker");
  });

  test("copy makes it yours under a new name, once; show prints it; an unknown one is named", async () => {
    const rig = makeRig();
    expect((await rig.fleet("preset", "copy", "coding", "backend")).err).toContain("mosaic fleet init --type backend");
    expect((await rig.fleet("preset", "copy", "coding", "backend")).code).toBe(4);
    expect((await rig.fleet("preset", "copy", "coding", "../x")).code).toBe(2);
    expect((await rig.fleet("preset", "show", "backend")).out).toContain("name: backend");
    expect((await rig.fleet("preset", "show", "nope")).err).toContain(
      "there are general, coding, research, hybrid, backend",
    );
    const { presets } = JSON.parse((await rig.fleet("preset", "list", "--json")).out) as {
      presets: { name: string; source: string }[];
    };
    expect(presets.map((one) => `${one.name} ${one.source}`)).toEqual([
      "general shipped",
      "coding shipped",
      "research shipped",
      "hybrid shipped",
      "backend yours",
    ]);
  });
});

describe("the wizard, in a real terminal", () => {
  const open = (rig: Rig, flags = "") => typedIn(rig, `fleet init ${flags}`);
  const questions = [
    "What is the fleet for?",
    "In which folder",
    "the fleet's name?",
    "runs the orchestrator?",
    "runs the workers?",
    "From which chat",
    "Write ",
  ];

  test("asks, shows what it would write, and writes after the last yes", async () => {
    const rig = makeRig();
    const { sees, press, code } = await open(rig);
    for (const question of questions) {
      await sees(question);
      expect(existsSync(rig.home.root), `written before "${question}" was answered`).toBe(false);
      await press("Enter");
    }
    expect(await code()).toBe("exit=0");
    expect(parseRoster(rig.rosterText(), "r", rig.root)).toMatchObject({ fleet: "work", preset: "coding" });
  });

  test.for([0, 1, 2, 3, 4, 5, 6])("Ctrl-C at question %i leaves no trace", async (last) => {
    const rig = makeRig();
    const { sees, press, code } = await open(rig);
    for (const question of questions.slice(0, last)) {
      await sees(question);
      await press("Enter");
    }
    await sees(questions[last] ?? "");
    await press("C-c");
    expect(await code()).toBe("exit=130");
    expect(existsSync(rig.home.root)).toBe(false);
  });

  test("a roster that was written meanwhile is not written over", async () => {
    const rig = makeRig();
    const { sees, press, code } = await open(rig);
    for (const question of questions.slice(0, -1)) {
      await sees(question);
      await press("Enter");
    }
    await sees("Write ");
    rig.roster("meanwhile");
    await press("Enter");
    expect([await code(), rig.rosterText()]).toEqual(["exit=4", "meanwhile"]);
  });

  test("Discord: asks for exactly what is needed, and writes nothing where the token is not right", async () => {
    const rig = makeRig();
    const { screen, type, sees, press, code } = await open(rig);
    for (const question of questions.slice(0, -2)) {
      await sees(question);
      await press("Enter");
    }
    await sees("From which chat");
    await press("Down");
    await press("Enter");
    for (const [question, answer] of [
      ["server's id?", "111"],
      ["channel's id?", "222"],
      ["Your own id", "acme"],
    ] as const) {
      await sees(question);
      await type(answer);
    }
    await sees("is not an id of Discord's");
    await press("C-u");
    await type("333");
    await sees("Write ");
    expect(await screen()).toMatch(/discord/);
    await press("Enter");
    await sees("token of the discord bot");
    await press("C-c");
    expect(await code()).toBe("exit=130");
    expect(existsSync(rig.home.roster)).toBe(false);
  });

  test("a token that is not right is asked for again, and loses no answer; without one the rest is written", async () => {
    const rig = makeRig();
    const flags = "--type general --connector discord --guild 11 --channel 22 --owner 33 --url http://127.0.0.1:9/api";
    const { screen, type, sees, press, code } = await open(rig, flags);
    for (const question of questions.slice(1, -2)) {
      await sees(question);
      await press("Enter");
    }
    await sees("Write ");
    await press("Enter");
    await sees("token of the discord bot");
    await type("two words");
    await sees("A token is one word");
    await press("C-u");
    await type("canary.token.0123456789");
    await sees("Try again.");
    expect(existsSync(rig.home.roster)).toBe(false);
    await sees("What now?");
    await press("Up");
    await press("Enter");
    await expect.poll(async () => (await screen()).split("token of the discord bot")).toHaveLength(3);
    await press("Enter");
    await sees("discord has no token yet");
    expect(await code()).toBe("exit=0");
    expect(await screen()).not.toContain("canary");
    expect(parseRoster(rig.rosterText(), "r", rig.root).connectors).toMatchObject([
      { account: "discord", owners: ["33"] },
    ]);
  });

  test("a wrong answer is refused on the spot with what is wrong", async () => {
    const rig = makeRig();
    const { type, sees, press } = await open(rig);
    await sees("What is the fleet for?");
    await press("Enter");
    await sees("In which folder");
    await type("/nope");
    await sees("The work folder does not exist");
    await press("C-u");
    await press("C-c");
  });
});

test("the schema that editors use knows every key of a roster, and looking at it leaves no trace", async () => {
  const rig = makeRig();
  const schema = JSON.parse((await rig.fleet("schema")).out) as {
    properties: { agents: { items: { properties: object } } };
  };
  expect(Object.keys(schema.properties)).toEqual(expect.arrayContaining(["version", "fleet", "agents", "supervisor"]));
  expect(Object.keys(schema.properties.agents.items.properties)).toEqual(
    expect.arrayContaining(["name", "role", "runtime", "workdir", "prompt"]),
  );
  expect(readdirSync(rig.root)).toEqual(["work"]);
});

test("a connector by flags: in the roster, its token tried and kept apart, or told as what is left to do", async () => {
  const rig = makeRig();
  const flags = ["--connector", "discord", "--guild", "11", "--channel", "22", "33", "--owner", "44"];
  const made = await rig.fleet("init", "--type", "general", "--yes", ...flags);
  expect([made.code, made.err]).toEqual([
    0,
    expect.stringMatching(/discord has no token yet. Next: mosaic fleet connect token discord/),
  ]);
  const wired = { account: "discord", guild: "11", channels: ["22", "33"], owners: ["44"], users: [], mention: false };
  expect(parseRoster(rig.rosterText(), "r", rig.root).connectors).toMatchObject([wired]);
  const again = await rig.fleet(
    "init",
    "--yes",
    "--connector",
    "discord",
    "--guild",
    "11",
    "--channel",
    "55",
    "--owner",
    "44",
  );
  expect([again.code, parseRoster(rig.rosterText(), "r", rig.root).connectors]).toMatchObject([
    0,
    [{ ...wired, channels: ["55"] }],
  ]);
  expect(await rig.fleet("init", "--yes", "--channel", "55")).toMatchObject({ code: 2 });
  const kept = { ...wired, channels: ["66"] };
  await rig.fleet("init", "--yes", "--connector", "discord", "--channel", "66");
  expect(parseRoster(rig.rosterText(), "r", rig.root).connectors).toMatchObject([kept]);
  await rig.fleet("init", "--yes", "--connector", "discord");
  expect(parseRoster(rig.rosterText(), "r", rig.root).connectors).toMatchObject([kept]);
  const before = rig.rosterText();
  writeFileSync(join(rig.root, "token"), "canary.token.0123456789");
  const where = ["--url", "http://127.0.0.1:9/api", "--token-file", join(rig.root, "token")];
  const tried = await rig.fleet("init", "--yes", ...flags, ...where);
  expect(tried).toMatchObject({ code: 5, err: expect.stringContaining("Try again.") });
  expect(`${tried.out}${tried.err}`).not.toContain("canary");
  expect(rig.rosterText()).toBe(before);
});
