// The tables of the journal, one step per version. A step that was released is never changed.

/** SQL of each step; the file's user_version counts the steps it has seen. */
export const MIGRATIONS: readonly string[] = [
  `
  CREATE TABLE requests (
    request_id TEXT PRIMARY KEY,
    directory TEXT NOT NULL,
    subject TEXT NOT NULL,
    sequence INTEGER NOT NULL,
    lease INTEGER NOT NULL,
    expires_at_ms INTEGER NOT NULL,
    earlier TEXT NOT NULL,
    last TEXT,
    receipt_server TEXT,
    starts INTEGER NOT NULL DEFAULT 0,
    attempts INTEGER NOT NULL DEFAULT 0,
    state TEXT NOT NULL CHECK (state IN ('open', 'closed', 'delivered', 'released')),
    outcome TEXT,
    outcome_bytes TEXT,
    finished_at_ms INTEGER,
    store_answer TEXT
  ) STRICT;
  CREATE INDEX requests_open ON requests (directory, sequence) WHERE state = 'open';
  CREATE INDEX requests_closed ON requests (finished_at_ms) WHERE state = 'closed';
  CREATE INDEX requests_finished ON requests (finished_at_ms) WHERE state IN ('delivered', 'released');
  CREATE TABLE documents (
    request_id TEXT PRIMARY KEY REFERENCES requests ON DELETE CASCADE,
    document TEXT NOT NULL
  ) STRICT;
  CREATE TABLE intents (
    request_id TEXT NOT NULL REFERENCES requests ON DELETE CASCADE,
    n INTEGER NOT NULL,
    lease INTEGER NOT NULL,
    kind TEXT NOT NULL CHECK (kind IN ('write', 'fence')),
    server TEXT NOT NULL,
    marker_before TEXT,
    marker_after TEXT NOT NULL,
    password_version_before INTEGER,
    started_at_ms INTEGER NOT NULL,
    answer TEXT,
    PRIMARY KEY (request_id, n)
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE settings (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;
  `,
  `
  ALTER TABLE intents ADD COLUMN effect TEXT;
  CREATE INDEX requests_of_subject ON requests (directory, subject);
  `,
  'ALTER TABLE intents ADD COLUMN notices TEXT;',
  'ALTER TABLE intents ADD COLUMN without_marker INTEGER NOT NULL DEFAULT 0;',
  // untold: the audit record has the intent, or waits for it, and knows of no result yet.
  `
  CREATE TABLE audit_outbox (entry INTEGER PRIMARY KEY AUTOINCREMENT, record TEXT NOT NULL) STRICT;
  ALTER TABLE intents ADD COLUMN untold INTEGER NOT NULL DEFAULT 0;
  CREATE INDEX intents_untold ON intents (request_id) WHERE untold = 1;
  `,
  // Few at any time: what a write has to wait for is found without reading the past of its account.
  `CREATE INDEX intents_unmarked_doubt ON intents (request_id)
   WHERE without_marker = 1 AND (answer IS NULL OR answer = 'lost');`,
]
