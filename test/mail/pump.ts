import { connect } from "node:net";

import type { Trace } from "../../src/harness/harness.ts";
import { FleetError } from "../../src/lib/errors.ts";
import { tryLock } from "../../src/lib/lock.ts";
import { pause } from "../../src/lib/wait.ts";
import { deliver, type Door } from "../../src/mail/deliver.ts";
import { openStore } from "../../src/mail/store.ts";
import type { Ask, Reply } from "./wire.ts";

/** A deliverer in a process of its own, one of several that want to. Arguments: database, lock, socket. */
const [, , path = "", lockPath = "", socket = ""] = process.argv;
const store = openStore(path);

function ask<T extends Reply>(question: Ask): Promise<T> {
  return new Promise((resolve, reject) => {
    const gone = () => reject(new FleetError("unreachable", "it is not running"));
    const line = connect(socket).setEncoding("utf8").on("error", gone).on("close", gone);
    let said = "";
    line.on("connect", () => line.write(`${JSON.stringify(question)}\n`));
    line.on("data", (part: string) => {
      said += part;
      if (!said.endsWith("\n")) return;
      resolve(JSON.parse(said) as T);
      line.destroy();
    });
  });
}

const door: Door = {
  async gate() {
    const { run, open } = await ask<Extract<Reply, { run: string }>>({ do: "gate" });
    return open ? { open, process: run } : { open, as: "held", reason: "a dialog is open", process: run };
  },
  async submit({ id, text }) {
    return { id, by: "fake", ...(await ask<Extract<Reply, { state: string }>>({ do: "submit", id, text })) };
  },
  async trace(ids) {
    const { seen } = await ask<Extract<Reply, { seen: string[] }>>({ do: "trace", ids });
    return new Map(seen.map((id): [string, Trace] => [id, { acted: true, end: { kind: "answered", text: "ok" } }]));
  },
  interrupt: async () => {},
  goOn: async () => {},
  revived: undefined,
};

for (;;) {
  const lock = tryLock(lockPath);
  try {
    if (lock !== undefined) await deliver(store, "co", door, Date.now);
  } catch (error) {
    if (!(error instanceof FleetError)) throw error;
  } finally {
    lock?.release();
  }
  await pause(5);
}
