import { closeSync, fstatSync, openSync, readSync, statSync } from "node:fs";

const megabyte = 1024 * 1024;
/** No conversation is read further back than this, however little is found. */
const furthest = 64 * megabyte;

/**
 * The newest `count` of what `read` finds in a file's lines, oldest first. It looks back as far as that takes: a megabyte
 * first, since a conversation may have grown far beyond what anybody wants to read at once.
 */
export function newestIn<T>(file: string, count: number, read: (line: string) => T[]): T[] {
  for (let bytes = megabyte; ; bytes *= 4) {
    const lines = lastLines(file, bytes);
    const found = lines.flatMap(read);
    if (found.length >= count || bytes >= furthest || sizeOf(file) <= bytes) return found.slice(-count);
  }
}

const sizeOf = (file: string): number => statSync(file, { throwIfNoEntry: false })?.size ?? 0;

/** The whole lines in the last so many bytes of a file, oldest first. None where there is no file yet. */
export function lastLines(file: string, most = megabyte): string[] {
  let handle: number;
  try {
    handle = openSync(file, "r");
  } catch {
    return [];
  }
  try {
    const { size } = fstatSync(handle);
    const start = Math.max(0, size - most);
    const bytes = Buffer.alloc(size - start);
    readSync(handle, bytes, 0, bytes.length, start);
    const lines = bytes.toString("utf8").split("\n");
    return start > 0 ? lines.slice(1) : lines; // the first is cut in the middle
  } finally {
    closeSync(handle);
  }
}
