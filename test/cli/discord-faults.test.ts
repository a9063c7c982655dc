import { expect, test } from "vitest";

import { agentMos, connectedFleet, letters, soon } from "../discord/fleet-rig.ts";
import { rosterOf } from "../rig.ts";

test("a burst of limits with headers that contradict each other: everything arrives once, in order, and nothing before its time", async () => {
  const { rig, say, shown, ids, double, ours } = await connectedFleet();
  await double.fault({
    kind: "limit",
    times: 3,
    only: `POST /api/v10/channels/${ids.general}/messages`,
    retryAfter: { body: 0.2, header: 1.5, reset: 0.5 },
  });
  const asked: string[] = [];
  const began = Date.now();
  for (let at = 0; at < 8; at++) asked.push(await say(`line ${at}`));
  await expect.poll(async () => (await ours()).length, { timeout: 60_000 }).toBe(8);
  expect(Date.now() - began).toBeGreaterThanOrEqual(3 * 1_500);
  const answers = (await shown()).filter((one) => one.author.id === ids.bot);
  expect(answers.map((one) => one.message_reference?.message_id)).toEqual(asked);
  expect(await letters(rig)).toEqual(asked.map((_, at) => `line ${at}`));
  // One lane, one try at a time: each limit was met once.
  expect((await double.asked()).filter((one) => one.status === 429)).toHaveLength(3);
});

test("what Discord never should answer ends nothing: the daemon lives, and everything arrives once", async () => {
  const { rig, say, shown, ids, double, ours } = await connectedFleet();
  const pid = rig.daemonPid();
  const kinds = ["status", "html", "reset", "reset-after", "garbled", "trickle"] as const;
  for (const kind of kinds)
    await double.fault({ kind, times: 1, only: `POST /api/v10/channels/${ids.general}/messages` });
  const asked: string[] = [];
  for (let at = 0; at < 4; at++) asked.push(await say(`line ${at}`));
  await expect.poll(async () => (await ours()).length, { timeout: 110_000 }).toBe(4);
  const answers = (await shown()).filter((one) => one.author.id === ids.bot);
  expect(answers.map((one) => one.message_reference?.message_id)).toEqual(asked);
  const tries = (await double.asked()).filter((one) => one.method === "POST" && one.path.endsWith("/messages"));
  expect(tries.length, "every fault was met").toBeGreaterThanOrEqual(4 + 3);
  expect(rig.daemonPid()).toBe(pid);
  expect(await letters(rig)).toEqual(asked.map((_, at) => `line ${at}`));
});

test("heard within 3 s whatever the agent does, frozen, dead or stopped; and the reason is a plain word", async () => {
  const { rig, say, shown, ours } = await connectedFleet({ command: '[sh, -c, "sleep 1000"]', restart: "never" });
  const { pid } = await rig.agent("mos");
  const heard = async (text: string) => {
    const began = Date.now();
    const id = await say(text);
    await expect
      .poll(async () => (await shown()).find((one) => one.id === id)?.reactions[0]?.emoji.name, {
        timeout: 3_000,
        interval: 20,
      })
      .toBe("👀");
    return Date.now() - began;
  };
  process.kill(pid ?? 0, "SIGSTOP");
  const times = [await heard("are you there?")];
  await expect
    .poll(() => ours(), soon)
    .toContainEqual(expect.stringMatching(/^Your message waits for mos: it is unknown/));
  process.kill(pid ?? 0, "SIGCONT");
  process.kill(pid ?? 0, "SIGKILL");
  await rig.settled("mos", (agent) => agent.state === "dead");
  times.push(await heard("are you still there?"));
  await expect
    .poll(() => ours(), soon)
    .toContainEqual(expect.stringMatching(/^Your message waits for mos: it is dead/));
  expect((await rig.fleet("stop")).code).toBe(0);
  times.push(await heard("and now?"));
  await expect.poll(() => ours(), soon).toContainEqual("Your message waits for mos: it is stopped. Next: /start mos");
  expect(Math.max(...times)).toBeLessThan(3_000);
});

test("a long answer arrives whole, in parts", async () => {
  const { rig, say, shown, ids, double } = await connectedFleet();
  // A command agent has no answers of its own; the fleet's table of many agents is as long as one.
  expect((await rig.fleet("stop")).code).toBe(0);
  const names = Array.from({ length: 90 }, (_, at) => `agent-with-a-long-name-${at}`);
  rig.roster(
    `${rosterOf(agentMos(), ...names.map((name) => `{ name: ${name}, runtime: command, command: [cat], workdir: ~/work }`))}${rig
      .rosterText()
      .slice(rig.rosterText().indexOf("connectors:"))}`,
  );
  await say("/ps");
  await expect
    .poll(async () => (await shown()).filter((one) => one.author.id === ids.bot).length, soon)
    .toBeGreaterThan(2);
  await expect
    .poll(
      async () =>
        (await shown())
          .filter((one) => one.author.id === ids.bot)
          .map((one) => one.content)
          .join("\n"),
      soon,
    )
    .toContain("agent-with-a-long-name-89");
  const parts = (await shown()).filter((one) => one.author.id === ids.bot).map((one) => one.content);
  for (const [at, part] of parts.entries()) {
    expect(part.length).toBeLessThanOrEqual(2_000);
    expect(part.startsWith(`(${at + 1}/${parts.length})\n\`\`\`\n`)).toBe(true);
    expect(part.split("```")).toHaveLength(3);
  }
  const joined = parts.map((part) => part.replace(/^\(\d+\/\d+\)\n```\n/, "").replace(/\n```$/, "")).join("\n");
  for (const name of names) expect(joined.split("\n").filter((line) => line.startsWith(`${name} `))).toHaveLength(1);
  expect((await double.asked()).some((one) => one.status >= 400)).toBe(false);
});

test("a gateway that says nonsense ends nothing: the daemon is the same, and Discord is back when it talks sense", async () => {
  const { rig, say, ours, double } = await connectedFleet();
  const pid = rig.daemonPid();
  await double.behave({ emptyHellos: 2 });
  await double.drop();
  await expect.poll(async () => (await rig.fleet("logs")).out, soon).toContain("daemon-fault");
  expect((await rig.fleet("chat", "/ps")).code).toBe(0);
  await say("hello again");
  await expect
    .poll(() => ours(), { timeout: 90_000 })
    .toEqual(["Typed into the terminal of mos, which can say no more."]);
  expect(rig.daemonPid()).toBe(pid);
}, 120_000);
