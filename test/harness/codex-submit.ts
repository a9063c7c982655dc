import { codex } from "../../src/harness/codex/codex.ts";
import type { Desk } from "../../src/harness/harness.ts";

/** A program to be killed: submits one message, as the CLI does. */
const { desk, message } = JSON.parse(process.argv[2] ?? "") as {
  desk: Desk;
  message: { id: string; text: string; mode: "next" | "steer" };
};
await codex.submit(desk, message);
