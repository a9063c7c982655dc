import { writeFileSync } from "node:fs";
import { join } from "node:path";

import { pause, until } from "../src/lib/wait.ts";
import { startDiscordDouble } from "../test/discord/double.ts";
import type { Ground } from "./ground.ts";
import type { LiveFleet } from "./live-fleet.ts";
import { cpuMs } from "./memory.ts";
import type { Row } from "./rows.ts";

const messages = 100;

/**
 * How soon somebody sees in a chat that they were heard, whatever the agent does: here it is frozen. From the moment the
 * platform has the message to the moment it has our mark; and what the connected daemon costs while nothing is said.
 */
export async function measureChat(ground: Ground, { site, daemon, run }: LiveFleet): Promise<Row[]> {
  ground.tell(`chat: ${messages} messages to a frozen agent`);
  const double = await startDiscordDouble();
  ground.defer(async () => double[Symbol.asyncDispose]());
  const ids = await double.ids();
  const token = join(ground.folder, "chat-token");
  writeFileSync(token, ids.token, { mode: 0o600 });
  const wired = await site.mosaic(
    ["fleet", "connect", "add", "discord", "--url", double.url, "--token-file", token].concat([
      "--guild",
      ids.guild,
      "--channel",
      ids.general,
      "--owner",
      ids.owner,
    ]),
  );
  if (wired.code !== 0) throw new Error(`connect add failed: ${wired.stderr}`);
  const pid = run("agent-0")?.pid ?? 0;
  process.kill(pid, "SIGSTOP");
  const samples: number[] = [];
  try {
    for (let at = 0; at < messages; at++) {
      ground.signal.throwIfAborted();
      const began = performance.now();
      const id = await double.post("owner", ids.general, { text: `message ${at}` });
      const marked = async () =>
        ((await double.shown(ids.general)).find((one) => one.id === id)?.reactions.length ?? 0) > 0 || undefined;
      if (await until(marked, { withinMs: 30_000, everyMs: 1 })) samples.push(performance.now() - began);
    }
  } finally {
    process.kill(pid, "SIGCONT");
  }
  await double.post("owner", ids.general, { text: "/drop" });
  await pause(65_000, ground.signal); // what was said is worked off, and the chat has calmed down
  const before = cpuMs(daemon);
  const restMs = 30_000;
  await pause(restMs, ground.signal);
  const sorted = samples.toSorted((a, b) => a - b);
  return [
    { what: "chat: said to marked as heard", unit: "ms", samples },
    {
      what: `the same, p99 of ${messages}`,
      unit: "ms",
      samples: [sorted[Math.floor(messages * 0.99) - 1] ?? NaN],
      goal: { of: "max", atMost: 300 },
    },
    {
      what: "daemon with a chat connected and nothing said",
      unit: "%",
      samples: [((cpuMs(daemon) - before) / restMs) * 100],
      goal: { of: "max", atMost: 0.4 },
    },
  ];
}
