/** Every change of the chat's database, oldest first. */
export const migrations = [
  `CREATE TABLE heard (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    account TEXT NOT NULL,
    chat TEXT NOT NULL,
    thread TEXT,
    id TEXT NOT NULL,
    kind TEXT NOT NULL,
    revision TEXT NOT NULL,
    ord INTEGER NOT NULL,
    said_at INTEGER NOT NULL,
    heard_at INTEGER NOT NULL,
    speaker TEXT NOT NULL,
    speaker_name TEXT NOT NULL,
    standing TEXT NOT NULL,
    direct INTEGER NOT NULL,
    to_us INTEGER NOT NULL,
    late INTEGER NOT NULL,
    text TEXT NOT NULL,
    choice TEXT,
    files TEXT NOT NULL,
    state TEXT NOT NULL,
    letter TEXT,
    told TEXT,
    UNIQUE (account, chat, id, kind, revision)
  ) STRICT;
  CREATE INDEX heard_open ON heard (account, chat, ord) WHERE state <> 'done';
  CREATE INDEX heard_order ON heard (account, chat, ord);
  CREATE INDEX heard_letter ON heard (letter) WHERE letter IS NOT NULL;
  CREATE TABLE cursors (account TEXT NOT NULL, key TEXT NOT NULL, value TEXT NOT NULL, PRIMARY KEY (account, key)) STRICT;
  CREATE TABLE outbox (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    key TEXT NOT NULL UNIQUE,
    account TEXT NOT NULL,
    chat TEXT NOT NULL,
    thread TEXT,
    body TEXT NOT NULL,
    state TEXT NOT NULL,
    attempts INTEGER NOT NULL,
    due_at INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    changed_at INTEGER NOT NULL,
    ids TEXT,
    why TEXT
  ) STRICT;
  CREATE INDEX outbox_open ON outbox (account, seq) WHERE state IN ('new', 'sending');
  CREATE TABLE prompts (
    token TEXT PRIMARY KEY,
    code TEXT NOT NULL,
    agent TEXT NOT NULL,
    permission TEXT NOT NULL,
    what TEXT NOT NULL,
    account TEXT NOT NULL,
    chat TEXT NOT NULL,
    thread TEXT,
    state TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    UNIQUE (agent, permission, what, account, chat)
  ) STRICT;
  CREATE TABLE pairings (
    code TEXT PRIMARY KEY,
    account TEXT NOT NULL,
    standing TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    speaker TEXT,
    speaker_name TEXT,
    chat TEXT
  ) STRICT;
  CREATE TABLE audit (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    at INTEGER NOT NULL,
    account TEXT NOT NULL,
    chat TEXT NOT NULL,
    speaker TEXT NOT NULL,
    message TEXT NOT NULL,
    decision TEXT NOT NULL,
    note TEXT,
    UNIQUE (account, chat, message, decision)
  ) STRICT;`,
  // What waits is found by its lane, and how often something was decided without reading all that was ever decided.
  `ALTER TABLE outbox ADD COLUMN lane TEXT NOT NULL DEFAULT '';
  UPDATE outbox SET lane = CASE WHEN json_extract(body, '$.kind') = 'typing' OR json_extract(body, '$.mark') = 'heard'
    THEN 'mark ' ELSE 'text ' END || chat || ' ' || coalesce(thread, '');
  DROP INDEX outbox_open;
  CREATE INDEX outbox_lanes ON outbox (account, lane, seq) WHERE state IN ('new', 'sending');
  CREATE INDEX heard_waiting ON heard (account, chat, ord, seq) WHERE state IN ('new', 'begun');
  CREATE INDEX audit_counts ON audit (account, decision, at);`,
  // A question that was over before another of the same name began to wait is not that one.
  `ALTER TABLE prompts ADD COLUMN changed_at INTEGER NOT NULL DEFAULT 0;`,
];
