import { parseArgs } from "node:util";

import { startDiscordDouble } from "./double.ts";

// The double as a program of its own. Says on one line where it is; the rest is asked over /control/.
const { values } = parseArgs({ options: { port: { type: "string" }, heartbeat: { type: "string" } } });
const double = await startDiscordDouble({
  port: values.port === undefined ? undefined : Number(values.port),
  heartbeatMs: values.heartbeat === undefined ? undefined : Number(values.heartbeat),
});
process.stdout.write(`${JSON.stringify({ url: double.url, ...(await double.ids()) })}\n`);
for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => process.exit(0));
