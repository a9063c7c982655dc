import { appendFileSync, existsSync, fsyncSync, openSync, readFileSync, rmSync } from "node:fs";
import { createServer } from "node:net";

import type { Ask, Reply } from "./wire.ts";

/**
 * A harness as bad as they come, in a process of its own: slow, busy for a while (then it keeps messages in its memory,
 * which dies with it), closed by a dialog now and then. Its transcript is a file and outlives it, like the real ones'.
 * Arguments: socket, transcript.
 */
const [, , socket = "", transcript = ""] = process.argv;
const file = openSync(transcript, "a");
/** A kill in the middle of a line: what is cut off was never said to be there. */
const whole = existsSync(transcript) ? readFileSync(transcript, "utf8") : "";
if (whole !== "" && !whole.endsWith("\n")) appendFileSync(file, "\n");
const seen = new Set(
  whole.split("\n").flatMap((line) => {
    try {
      return [(JSON.parse(line) as { id: string }).id];
    } catch {
      return [];
    }
  }),
);
const memory: { id: string; text: string }[] = [];
const run = `${process.pid}`;
let at = 0;
/** The same in every run: working for some calls, open for some, closed for a few. */
const isBusy = () => at % 37 > 20;
const isClosed = () => at % 53 > 48;

function enter(id: string, text: string): void {
  appendFileSync(file, `${JSON.stringify({ id, text })}\n`);
  fsyncSync(file);
  seen.add(id);
}

function turnEnds(): void {
  for (const { id, text } of memory.splice(0)) enter(id, text);
}

function answer(ask: Ask): Reply {
  at++;
  if (!isBusy()) turnEnds();
  switch (ask.do) {
    case "gate":
      return { run, open: !isClosed() };
    case "trace":
      return { seen: ask.ids.filter((id) => seen.has(id)) };
    case "submit":
      if (seen.has(ask.id)) return { state: "delivered" };
      if (memory.some((one) => one.id === ask.id)) return { state: "queued" };
      if (isBusy()) {
        memory.push(ask);
        return { state: "queued" };
      }
      enter(ask.id, ask.text);
      return { state: "delivered" };
  }
}

rmSync(socket, { force: true }); // a killed one leaves it behind
createServer((line) => {
  let rest = "";
  line.setEncoding("utf8").on("error", () => line.destroy());
  line.on("data", (part: string) => {
    rest += part;
    for (let end = rest.indexOf("\n"); end >= 0; end = rest.indexOf("\n")) {
      const reply = answer(JSON.parse(rest.slice(0, end)) as Ask);
      rest = rest.slice(end + 1);
      line.write(`${JSON.stringify(reply)}\n`);
    }
  });
}).listen(socket);
