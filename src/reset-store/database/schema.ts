// The tables of the store, as numbered steps. A step never changes once it was released; a new one is added at the end.

/** Steps in order; `user_version` of the database says how many were taken. */
export const MIGRATIONS: readonly string[] = [
  `
  CREATE TABLE facts (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;
  CREATE TABLE administrators (name TEXT PRIMARY KEY, token_digest TEXT NOT NULL UNIQUE) STRICT;
  CREATE TABLE users (
    name TEXT PRIMARY KEY, display_name TEXT NOT NULL, directory TEXT NOT NULL, anchor TEXT NOT NULL,
    UNIQUE (directory, anchor)
  ) STRICT;
  CREATE TABLE agents (
    id TEXT PRIMARY KEY, name TEXT NOT NULL, identity_key TEXT NOT NULL, directories TEXT NOT NULL,
    enrolled_at INTEGER NOT NULL, last_seen_at INTEGER, revoked_at INTEGER, heartbeat TEXT
  ) STRICT;
  CREATE TABLE sealing_keys (
    agent TEXT NOT NULL REFERENCES agents (id), kid TEXT NOT NULL, statement TEXT NOT NULL,
    PRIMARY KEY (agent, kid)
  ) STRICT;
  CREATE TABLE enrolment_codes (
    lookup TEXT PRIMARY KEY, hash TEXT NOT NULL, directories TEXT NOT NULL, expires_at INTEGER NOT NULL,
    used_by TEXT
  ) STRICT;
  CREATE TABLE seen_calls (jti TEXT PRIMARY KEY, expires_at INTEGER NOT NULL) STRICT, WITHOUT ROWID;
  CREATE TABLE subjects (
    directory TEXT NOT NULL, anchor TEXT NOT NULL, last_sequence INTEGER NOT NULL,
    PRIMARY KEY (directory, anchor)
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE requests (
    id TEXT PRIMARY KEY, directory TEXT NOT NULL, anchor TEXT NOT NULL, display_name TEXT NOT NULL,
    operation TEXT NOT NULL, options TEXT NOT NULL, actor TEXT NOT NULL, creator TEXT NOT NULL,
    created_at INTEGER NOT NULL, expires_at INTEGER NOT NULL, offered_keys TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('unsealed', 'open', 'closed')),
    sealed_digest TEXT, sealed_at INTEGER, sealed_keys TEXT, sequence INTEGER, document TEXT,
    lease INTEGER NOT NULL DEFAULT 0, lease_agent TEXT, lease_claim TEXT, lease_until INTEGER NOT NULL DEFAULT 0,
    received INTEGER NOT NULL DEFAULT 0, due_at INTEGER,
    outcome TEXT, outcome_agent TEXT, outcome_server TEXT, outcome_marker TEXT, reason TEXT,
    notices TEXT NOT NULL DEFAULT '[]', detail TEXT, closed_at INTEGER, replaced INTEGER NOT NULL DEFAULT 0
  ) STRICT;
  CREATE INDEX requests_open ON requests (directory, sequence) WHERE state = 'open';
  CREATE INDEX requests_of_subject ON requests (directory, anchor, sequence);
  CREATE INDEX requests_leased ON requests (lease_agent) WHERE lease_agent IS NOT NULL;
  CREATE INDEX requests_due ON requests (due_at) WHERE due_at IS NOT NULL;
  CREATE TABLE leases (
    request TEXT NOT NULL, lease INTEGER NOT NULL, agent TEXT NOT NULL, at INTEGER NOT NULL,
    PRIMARY KEY (request, lease)
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE receipts (
    request TEXT NOT NULL, lease INTEGER NOT NULL, server TEXT NOT NULL, agent TEXT NOT NULL, at INTEGER NOT NULL,
    PRIMARY KEY (request, lease, server)
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE outcomes (
    request TEXT NOT NULL, digest TEXT NOT NULL, agent TEXT NOT NULL, jws TEXT NOT NULL, result TEXT NOT NULL,
    at INTEGER NOT NULL, PRIMARY KEY (request, digest)
  ) STRICT, WITHOUT ROWID;
  `,
  `
  DELETE FROM outcomes WHERE result = 'request_not_found';
  CREATE INDEX codes_expired ON enrolment_codes (expires_at);
  CREATE INDEX requests_closed ON requests (closed_at, id) WHERE closed_at IS NOT NULL;
  `,
  `
  ALTER TABLE requests ADD COLUMN account TEXT;
  ALTER TABLE requests ADD COLUMN rule TEXT;
  ALTER TABLE requests ADD COLUMN policy TEXT;
  ALTER TABLE users ADD COLUMN object_guid TEXT;
  CREATE TABLE policies (
    directory TEXT PRIMARY KEY, agent TEXT NOT NULL, published_at INTEGER NOT NULL, policies TEXT NOT NULL
  ) STRICT, WITHOUT ROWID;
  `,
  `
  DROP INDEX requests_open;
  CREATE INDEX requests_claimable ON requests (directory, coalesce(sequence, sealed_at)) WHERE state = 'open';
  `,
  `
  CREATE INDEX requests_out ON requests (directory, anchor, lease_until)
    WHERE state <> 'closed' AND operation <> 'inspect';
  `,
  'ALTER TABLE users ADD COLUMN pin_asked_at INTEGER NOT NULL DEFAULT 0',
  `
  DROP INDEX requests_leased;
  CREATE INDEX requests_leased ON requests (lease_agent) WHERE state = 'open';
  `,
  'ALTER TABLE sealing_keys ADD COLUMN place INTEGER NOT NULL DEFAULT 0',
]
