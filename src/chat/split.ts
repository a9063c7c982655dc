/** Room for "(12/34)\n" and for a fence that is closed and opened again. */
const overhead = 24;
const fence = /^(`{3,}|~{3,})([^\n]*)$/;

/**
 * Cuts a text into parts of at most `limit` UTF-16 units. A fence that a cut would break is closed and opened again with
 * its language; no cut falls into a character, and into a word or a link only where it alone is longer than a part.
 */
export function split(text: string, limit: number): string[] {
  if (text.length <= limit) return text === "" ? [] : [text];
  const bodies = cut(text, limit - overhead);
  return bodies.map((body, at) => `(${at + 1}/${bodies.length})\n${body}`);
}

function cut(text: string, room: number): string[] {
  const parts: string[] = [];
  let lines: string[] = [];
  let size = 0;
  let open: { marker: string; line: string } | undefined;
  const closing = () => (open === undefined ? 0 : open.marker.length + 1);
  const flush = () => {
    if (lines.length === 0) return;
    const body = open === undefined ? lines : [...lines, open.marker];
    parts.push(body.join("\n"));
    lines = open === undefined ? [] : [open.line];
    size = open === undefined ? 0 : open.line.length + 1;
  };
  for (const whole of text.split("\n")) {
    const [, marker, rest = ""] = fence.exec(whole) ?? [];
    for (const [nth, line] of pieces(whole, room - 2 * overhead).entries()) {
      const isBare = open !== undefined && lines.length === 1 && lines[0] === open.line;
      // Two pieces of one line never stand in one part: that would break the line where nobody did.
      if ((nth > 0 || size + line.length + 1 + closing() > room) && !isBare) flush();
      lines.push(line);
      size += line.length + 1;
    }
    if (marker === undefined) continue;
    if (open === undefined) {
      // A part's head is our own line: a very long one keeps only its marker.
      const short = marker.length > 8 ? undefined : `${marker}${rest.slice(0, 12)}`;
      if (short !== undefined) open = { marker, line: short };
    } else if (rest.trim() === "" && marker.startsWith(open.marker)) open = undefined;
  }
  flush();
  return parts;
}

/** A line in pieces that fit, cut at blanks where there are any. */
function pieces(line: string, room: number): string[] {
  const found: string[] = [];
  let rest = line;
  while (rest.length > room) {
    const blank = rest.lastIndexOf(" ", room);
    let at = blank > room / 2 ? blank + 1 : room;
    if (isHighSurrogate(rest.charCodeAt(at - 1))) at--;
    found.push(rest.slice(0, at));
    rest = rest.slice(at);
  }
  return [...found, rest];
}

const isHighSurrogate = (unit: number): boolean => unit >= 0xd800 && unit <= 0xdbff;
