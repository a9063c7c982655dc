import type { Inbound, Intake, Verdict } from "./connector.ts";

/** How a process dies that has an intake in its hands: at which admission of rows, and whether that one is still stored. */
export interface Death {
  atAdmission: number;
  isStored: boolean;
}

/**
 * What a core keeps, in memory, for tests of connectors: it outlives the connectors that write to it. Each `open` is one
 * process; after its death whatever it still tries fails, as nothing that a dead process does is ever stored.
 */
export function memoryStore(isHeard: (row: Inbound) => boolean, configured: readonly string[] = []) {
  const rows = new Map<string, Inbound>();
  const cursors = new Map<string, string>();
  const handed = new Set<string>();
  /** What was handed on, in that order. */
  const handedOn: Inbound[] = [];
  const keyOf = (row: Inbound) => [row.chat, row.id, row.kind, row.revision ?? ""].join(" ");

  function handOn(all: readonly Inbound[]): void {
    for (const row of all.toSorted((one, other) => (one.order < other.order ? -1 : 1))) {
      if (handed.has(keyOf(row))) continue;
      handed.add(keyOf(row));
      handedOn.push(row);
    }
  }

  function open(death?: Death) {
    const held = new Set([...configured, ...[...rows.values()].map((row) => row.chat)]);
    let isDead = false;
    let admissions = 0;
    let tellDead: () => void = () => {};
    const dead = new Promise<void>((resolve) => (tellDead = resolve));
    const kill = () => {
      isDead = true;
      tellDead();
    };
    const live = () => {
      if (isDead) throw new Error("This process is dead.");
    };
    const intake: Intake = {
      admit(batch, cursor) {
        live();
        const isLast = batch.length > 0 && death !== undefined && ++admissions >= death.atAdmission;
        if (isLast && !death.isStored) kill();
        live();
        const verdicts = batch.map((row): Verdict => {
          if (!isHeard(row)) return "refused";
          if (rows.has(keyOf(row))) return "known";
          rows.set(keyOf(row), row);
          return "new";
        });
        if (cursor !== undefined) cursors.set(cursor.key, cursor.value);
        if (isLast) kill();
        live();
        handOn(batch.filter((row, at) => verdicts[at] === "new" && !held.has(row.chat)));
        return verdicts;
      },
      cursor: (key) => cursors.get(key),
      hold: (chat) => {
        live();
        held.add(chat);
      },
      release: (chat) => {
        live();
        held.delete(chat);
        handOn([...rows.values()].filter((row) => row.chat === chat));
      },
      known: () => {
        const newest = new Map<string, string>();
        for (const { chat, id } of rows.values()) {
          const before = newest.get(chat);
          if (before === undefined || BigInt(id) > BigInt(before)) newest.set(chat, id);
        }
        return newest;
      },
    };
    return { intake, dead, kill };
  }

  return { open, rows, handedOn, cursors };
}
export type MemoryStore = ReturnType<typeof memoryStore>;
