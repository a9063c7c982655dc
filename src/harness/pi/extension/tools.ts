import { execFile } from "node:child_process";

import type { PiApi } from "./pi-api.ts";

/** The fleet's verbs as tools, so that an agent without a shell can still report. They run the product's own CLI. */
export function registerFleetTools(pi: PiApi, mosaic: string): void {
  const run = (args: readonly string[], input: string, signal?: AbortSignal) =>
    new Promise<{ content: { type: "text"; text: string }[]; details: undefined }>((resolve, reject) => {
      const child = execFile(mosaic, ["fleet", ...args], { signal, timeout: 60_000 }, (error, stdout, stderr) => {
        if (error) reject(new Error(stderr.trim() || error.message));
        else resolve({ content: [{ type: "text", text: (stdout + stderr).trim() || "done" }], details: undefined });
      });
      child.stdin?.on("error", () => undefined).end(input);
    });
  pi.registerTool({
    name: "fleet_send",
    label: "Fleet: send",
    description: "Send a message to another agent of the fleet. It fails where the message was not accepted.",
    promptSnippet: "Send a message to another agent of the fleet",
    parameters: {
      type: "object",
      properties: {
        agent: { type: "string", description: "the agent's name" },
        text: { type: "string", description: "the whole message" },
      },
      required: ["agent", "text"],
    },
    execute: (_, input, signal) => run(["send", String(input["agent"]), "-"], String(input["text"]), signal),
  });
  pi.registerTool({
    name: "fleet_status",
    label: "Fleet: status",
    description: "List the agents of the fleet and how each of them is.",
    promptSnippet: "List the fleet's agents and how they are",
    parameters: { type: "object", properties: {} },
    execute: (_, __, signal) => run(["ps"], "", signal),
  });
}
