/** Every change of the table's shape, oldest first; a database knows how many it has had. */
export const migrations = [
  `CREATE TABLE letters (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    key TEXT UNIQUE,
    recipient TEXT NOT NULL,
    sender_kind TEXT NOT NULL,
    sender TEXT NOT NULL,
    mode TEXT NOT NULL,
    body TEXT NOT NULL,
    state TEXT NOT NULL,
    reason TEXT,
    reply_to TEXT,
    hops INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    changed_at INTEGER NOT NULL,
    expires_at INTEGER,
    attempts INTEGER NOT NULL DEFAULT 0,
    handed_to TEXT,
    delivered_at INTEGER,
    answered_at INTEGER,
    answer TEXT,
    answer_within INTEGER,
    due_at INTEGER,
    nudges INTEGER NOT NULL DEFAULT 0,
    forced INTEGER NOT NULL DEFAULT 0,
    closed INTEGER NOT NULL DEFAULT 0
  ) STRICT;
  CREATE INDEX letters_open ON letters (recipient, seq) WHERE closed = 0;
  CREATE INDEX letters_pair ON letters (sender, recipient, created_at) WHERE sender_kind = 'agent';
  CREATE TABLE moves (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    letter TEXT NOT NULL,
    at INTEGER NOT NULL,
    state TEXT NOT NULL,
    note TEXT
  ) STRICT;
  CREATE INDEX moves_letter ON moves (letter, seq);`,
];
