import { closeSync, fstatSync, openSync, readSync } from "node:fs";

const most = 1024 * 1024;

/**
 * The whole lines in the last megabyte of a file, oldest first: a conversation may have grown far beyond what anybody
 * wants to read at once. None where there is no file yet.
 */
export function lastLines(file: string): string[] {
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
