import { join } from "node:path";

import { accept } from "../src/mail/accept.ts";
import { openStore } from "../src/mail/store.ts";
import type { Ground } from "./ground.ts";
import { median, type Row } from "./rows.ts";

const messages = 2_000;

/** What it costs to keep a message for good: one durable transaction each, as a sender in a loop would. */
export function measureEnqueue(ground: Ground): Row[] {
  ground.tell(`mail: ${messages} messages kept one by one`);
  const store = openStore(join(ground.folder, "mail", "fleet.db"));
  const samples: number[] = [];
  try {
    for (let at = 0; at < messages; at++) {
      const began = performance.now();
      accept(
        store,
        { to: "co", from: { kind: "person", name: "bench" }, mode: "next", body: `message ${at} ${"x".repeat(300)}` },
        Date.now(),
      );
      samples.push(performance.now() - began);
    }
  } finally {
    store.close();
  }
  const sorted = samples.toSorted((a, b) => a - b);
  const perSecond = Math.round(1_000 / median(samples));
  return [
    {
      what: "durable enqueue, one message",
      unit: "ms",
      samples,
      goal: { of: "median", atMost: 0.5 },
      note: `${perSecond} a second`,
    },
    {
      what: `durable enqueue, p99 of ${messages}`,
      unit: "ms",
      samples: [sorted[Math.floor(messages * 0.99)] ?? NaN],
      goal: { of: "max", atMost: 5 },
    },
  ];
}
