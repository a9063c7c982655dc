/** Whose problem an error is; the code decides the exit status and nothing else does. */
export type FaultCode = "usage" | "not-found" | "conflict" | "unreachable" | "cancelled" | "invalid-roster";

/** The one table of exit codes (docs/contract.md). 0 is done and 1 an unexpected fault. */
export const exitCodes = {
  usage: 2,
  "not-found": 3,
  conflict: 4,
  unreachable: 5,
  "invalid-roster": 6,
  cancelled: 130,
} as const satisfies Record<FaultCode, number>;

/** An error a person can act on: one sentence of what is wrong, and a hint with the line to type next. */
export class FleetError extends Error {
  override name = "FleetError";
  readonly code: FaultCode;
  readonly hint: string | undefined;

  constructor(code: FaultCode, message: string, options: { hint?: string | undefined; cause?: unknown } = {}) {
    super(message, { cause: options.cause });
    this.code = code;
    this.hint = options.hint;
  }
}

const systemFaults: Record<string, string> = {
  ENOSPC: "no space is left on the disk",
  EDQUOT: "the disk quota is used up",
  EROFS: "the file system is read-only",
  EACCES: "permission is denied",
  EPERM: "the operation is not permitted",
  EMFILE: "too many files are open",
  EISDIR: "it is not a file",
  EEXIST: "something else of that name is there",
  ENOENT: "no folder can be made there",
  ENOTDIR: "a part of the path is not a folder",
  ELOOP: "its links go in a circle",
  ENAMETOOLONG: "the name is too long",
};

/** The system's error code (`ENOENT`, …) where there is one. */
export function systemCode(error: unknown): string | undefined {
  if (!(error instanceof Error) || !("code" in error)) return undefined;
  return typeof error.code === "string" ? error.code : undefined;
}

/** Words a full disk, a read-only home and the like for people; everything else passes through unchanged. */
export function wordSystemFault(error: unknown, doing: string): unknown {
  const why = systemFaults[systemCode(error) ?? ""];
  if (why === undefined) return error;
  return new FleetError("conflict", `Cannot ${doing}: ${why}. Nothing was changed.`, {
    hint: "mosaic fleet doctor",
    cause: error,
  });
}
