import { closeSync, fstatSync, openSync, readSync } from "node:fs";

/** How far a file that grows has been read. */
interface Read {
  inode: number;
  /** Where the last whole line ended. */
  end: number;
  size: number;
  changedAt: number;
}

/**
 * The whole lines that a file has got since it was last read; none where it has not changed. `anew` where it is another
 * file now or shorter than it was, and of course the first time, when at most its last `most` bytes are read. Undefined
 * where there is no file.
 */
export function newLines(
  file: string,
  before: Read | undefined,
  most: number,
): { lines: string[]; read: Read; anew: boolean } | undefined {
  let handle: number;
  try {
    handle = openSync(file, "r");
  } catch {
    return undefined;
  }
  try {
    const { ino: inode, size, mtimeMs: changedAt } = fstatSync(handle);
    const goesOn = before !== undefined && before.inode === inode && size >= before.size;
    if (goesOn && before.size === size && before.changedAt === changedAt)
      return { lines: [], read: before, anew: false };
    const start = goesOn ? before.end : Math.max(0, size - most);
    const bytes = Buffer.alloc(size - start);
    const got = bytes.subarray(0, readSync(handle, bytes, 0, bytes.length, start));
    const whole = got.lastIndexOf(10) + 1;
    const lines = whole === 0 ? [] : got.toString("utf8", 0, whole - 1).split("\n");
    return { lines, read: { inode, end: start + whole, size, changedAt }, anew: !goesOn };
  } finally {
    closeSync(handle);
  }
}

/**
 * What is known from files that grow, each read on from where it was read last: they are asked for once a second, and
 * most of the time nothing is new. `learn` is told every line; a file that began anew is known anew.
 */
export function follower<T>(
  most: number,
  begin: () => T,
  learn: (known: T, line: string) => void,
): (file: string) => T | undefined {
  const followed = new Map<string, { known: T; read: Read }>();
  return (file) => {
    const before = followed.get(file);
    const got = newLines(file, before?.read, most);
    if (got === undefined) return undefined;
    const known = before === undefined || got.anew ? begin() : before.known;
    for (const line of got.lines) learn(known, line);
    followed.set(file, { known, read: got.read });
    return known;
  };
}
