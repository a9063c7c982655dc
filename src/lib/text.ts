/** Plain text tables and words for people. */

const codes = { bold: 1, dim: 2, red: 31, green: 32, yellow: 33, blue: 34, cyan: 36 } as const;
export type Style = keyof typeof codes;

/** Paints text, or leaves it plain where colours are off. */
export const painter =
  (color: boolean) =>
  (style: Style, text: string): string =>
    color ? `\u001b[${codes[style]}m${text}\u001b[0m` : text;

// oxlint-disable-next-line no-control-regex -- escape codes begin with one
const escapes = /\u001b\[[\d;]*m/g;
const wide = (text: string): number => [...text.replaceAll(escapes, "")].length;

/** Columns as wide as their widest cell; the last is cut to the terminal. */
export function table(rows: readonly (readonly string[])[], columns = Infinity): string {
  const widths: number[] = [];
  for (const row of rows) for (const [at, cell] of row.entries()) widths[at] = Math.max(widths[at] ?? 0, wide(cell));
  return rows
    .map((row) => {
      const line = row
        .map((cell, at) => (at === row.length - 1 ? cell : cell + " ".repeat((widths[at] ?? 0) - wide(cell))))
        .join("  ");
      return `${wide(line) > columns ? cut(line, columns) : line.trimEnd()}\n`;
    })
    .join("");
}

function cut(line: string, columns: number): string {
  return line.includes("\u001b") ? line : `${[...line].slice(0, Math.max(1, columns - 1)).join("")}…`;
}

/** `4s`, `12m`, `3h`, `5d`. */
export function age(ms: number): string {
  const seconds = Math.round(ms / 1_000);
  if (seconds < 100) return `${seconds}s`;
  if (seconds < 6_000) return `${Math.round(seconds / 60)}m`;
  if (seconds < 172_800) return `${Math.round(seconds / 3_600)}h`;
  return `${Math.round(seconds / 86_400)}d`;
}

/** Takes control characters, escape sequences and text direction marks out, so that foreign text cannot drive a terminal. */
export function tame(text: string): string {
  // oxlint-disable no-control-regex -- these are what it is about
  return text.replaceAll(
    /\u001b\[[0-?]*[ -/]*[@-~]|\u001b[@-_]|[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]/g,
    "",
  );
}

/** Control and escape characters, and those that turn the direction of text around: nothing of them is meant to be read. */
const unseen =
  // oxlint-disable-next-line no-control-regex -- these are what it is about
  /\u001b\[[0-9;?]*[ -/]*[@-~]|\u001b[@-Z\\-_]|[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u061c\u200b\u200e\u200f\u202a-\u202e\u2060-\u2069\ufeff]/g;

/** Somebody else's text without what would act on a terminal, or deceive whoever reads it. Lines and tabs stay. */
export const visible = (text: string): string => text.replaceAll(unseen, "");
