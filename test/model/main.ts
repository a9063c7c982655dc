import { parseArgs } from "node:util";

import { startScriptedModel } from "./server.ts";

const { values } = parseArgs({
  options: { port: { type: "string" }, log: { type: "string" }, key: { type: "string" } },
});
const port = values.port === undefined ? undefined : Number(values.port);
const model = await startScriptedModel({ port, log: values.log, key: values.key });
process.stdout.write(`${model.url}\n`);
for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => void model.close());
