let loaded: typeof import("node:sqlite") | undefined;

/**
 * Node's own SQLite, loaded when it is first needed. Node 22 calls it experimental on standard error at that moment (24 does
 * not): nothing that a person who typed a command could do anything about.
 */
export function sqlite(): typeof import("node:sqlite") {
  return (loaded ??= loadQuietly());
}

function loadQuietly(): typeof import("node:sqlite") {
  const warn = process.emitWarning.bind(process);
  process.emitWarning = () => {};
  try {
    return process.getBuiltinModule("node:sqlite");
  } finally {
    process.emitWarning = warn;
  }
}
