import { WebSocket } from "ws";

/** A person's own connection to the gateway: it sees what their client is told. */
export async function personOnline(gateway: string, token: string) {
  const socket = new WebSocket(`${gateway}/?v=10&encoding=json`);
  const told: { name: string; data: Record<string, unknown> }[] = [];
  let sequence: number | null = null;
  const say = (op: number, d: unknown) => socket.send(JSON.stringify({ op, d }));
  let beating: NodeJS.Timeout | undefined;
  socket.on("close", () => clearInterval(beating));
  await new Promise<void>((resolve, reject) => {
    socket.once("error", reject);
    socket.once("close", (code) => reject(new Error(`The gateway lets that person not in (${code}).`)));
    socket.on("message", (raw: Buffer) => {
      const frame = JSON.parse(raw.toString()) as { op: number; s?: number; t?: string; d: Record<string, unknown> };
      sequence = frame.s ?? sequence;
      if (frame.op === 10) {
        beating = setInterval(() => say(1, sequence), Number(frame.d["heartbeat_interval"]));
        say(2, { token, capabilities: 0, properties: { browser: "Firefox", device: "", os: "Linux" } });
      }
      if (frame.op !== 0 || frame.t === undefined) return;
      told.push({ name: frame.t, data: frame.d });
      if (frame.t === "READY") resolve();
    });
  });
  return { told, end: () => socket.terminate() };
}
