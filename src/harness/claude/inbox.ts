import type { SubmitMode } from "../harness.ts";

/**
 * Whether the process behind the inbox still works. Claude Code answers nothing on it, but its event loop must run to
 * close its side after ours: 3 ms when idle or busy, never when it hangs.
 */
export function isAlive(socket: string, withinMs: number): Promise<"alive" | "silent" | "absent"> {
  return new Promise((resolve) => {
    const line = process.getBuiltinModule("node:net").connect(socket);
    const end = (answer: "alive" | "silent" | "absent") => {
      clearTimeout(timer);
      line.destroy();
      resolve(answer);
    };
    const timer = setTimeout(() => end("silent"), withinMs);
    line.on("connect", () => line.end());
    line.on("error", () => end("absent"));
    line.on("close", () => end("alive"));
    line.resume();
  });
}

/** Puts one message on the inbox. That it was written says nothing yet: only the transcript tells that it was taken. */
export function put(socket: string, message: { uuid: string; text: string; mode: SubmitMode }): Promise<boolean> {
  const { uuid, text, mode } = message;
  // Its `next` is read with the next tool result, its `later` at the end of the turn.
  const priority = mode === "steer" ? "next" : "later";
  const line = JSON.stringify({
    type: "user",
    uuid,
    msg_id: uuid,
    priority,
    message: { role: "user", content: text },
  });
  return new Promise((resolve) => {
    const socketLine = process.getBuiltinModule("node:net").connect(socket);
    let written = false;
    socketLine.setTimeout(5_000, () => socketLine.destroy());
    socketLine.on("connect", () => socketLine.end(`${line}\n`, () => (written = true)));
    socketLine.on("error", () => undefined);
    socketLine.on("close", () => resolve(written));
    socketLine.resume();
  });
}
