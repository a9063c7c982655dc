/**
 * As much of WebSocket (RFC 6455) as a client of a unix socket needs, and Node has none for those: text out in one
 * masked frame, text in whatever its frames, pings answered. A package for it would be loaded by every `ps`.
 */
const kinds = { more: 0, text: 1, close: 8, ping: 9, pong: 10 } as const;

/** The request that turns a fresh connection into a WebSocket. The server's proof of the key guards proxies; here is none. */
export const upgrade =
  "GET / HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: bW9zYWljLWZsZWV0LXdzIQ==\r\n\r\n";

/** One frame of a client. The mask is for proxies too, so it may be nothing; a server wants to see it. */
function frame(kind: number, body: Buffer): Buffer {
  const long = body.length > 0xffff ? 8 : body.length > 125 ? 2 : 0;
  const head = Buffer.alloc(2 + long + 4);
  head[0] = 0x80 | kind;
  head[1] = 0x80 | (long === 8 ? 127 : long === 2 ? 126 : body.length);
  if (long === 2) head.writeUInt16BE(body.length, 2);
  if (long === 8) head.writeBigUInt64BE(BigInt(body.length), 2);
  return Buffer.concat([head, body]);
}

export const textFrame = (text: string): Buffer => frame(kinds.text, Buffer.from(text));

/** Puts what arrives together to texts. Answers what must be sent back at once (pongs); undefined once the line is over. */
export function frameReader(take: (text: string) => void): (part: Buffer) => Buffer | undefined {
  let rest = Buffer.alloc(0);
  let parts: Buffer[] = [];
  let open = false;
  return (part) => {
    rest = Buffer.concat([rest, part]);
    const back: Buffer[] = [];
    if (!open) {
      const end = rest.indexOf("\r\n\r\n");
      if (end < 0) return Buffer.alloc(0);
      if (!rest.toString("latin1", 0, end).startsWith("HTTP/1.1 101 ")) return undefined;
      rest = rest.subarray(end + 4);
      open = true;
    }
    for (;;) {
      const found = firstFrame(rest);
      if (found === undefined) return Buffer.concat(back);
      rest = rest.subarray(found.length);
      if (found.kind === kinds.close) return undefined;
      if (found.kind === kinds.ping) back.push(frame(kinds.pong, found.body));
      if (found.kind !== kinds.text && found.kind !== kinds.more) continue;
      parts.push(found.body);
      if (!found.last) continue;
      take(Buffer.concat(parts).toString("utf8"));
      parts = [];
    }
  };
}

function firstFrame(bytes: Buffer): { kind: number; last: boolean; body: Buffer; length: number } | undefined {
  if (bytes.length < 2) return undefined;
  const short = (bytes[1] ?? 0) & 0x7f;
  const head = short === 127 ? 10 : short === 126 ? 4 : 2;
  if (bytes.length < head) return undefined;
  const size = head === 10 ? Number(bytes.readBigUInt64BE(2)) : head === 4 ? bytes.readUInt16BE(2) : short;
  if (bytes.length < head + size) return undefined;
  const first = bytes[0] ?? 0;
  return { kind: first & 0x0f, last: first >= 0x80, body: bytes.subarray(head, head + size), length: head + size };
}
