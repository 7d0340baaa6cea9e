// Intents: what this agent was about to send, written down before it sends, and what it heard back.
import type { DatabaseSync, SQLOutputValue } from 'node:sqlite'
import { WritebackError } from '../../errors/writeback-error.ts'
import type { AuditOutbox } from './audit-outbox.ts'
import type { AnsweredIntent, ConfirmedWrite, Intent, Journal } from './journal.ts'
import { guarded, transaction } from './transaction.ts'

type Attempts = Pick<
  Journal,
  | 'nextAttempt'
  | 'intent'
  | 'answer'
  | 'unsettledIntents'
  | 'intents'
  | 'recentWrites'
  | 'lastPasswordWrite'
  | 'countWrongPasswords'
  | 'isChangeUnderWay'
  | 'lastUnmarkedDoubt'
>

/** The part of the journal that counts and keeps writes and fences. */
export function createAttempts(db: DatabaseSync, outbox: AuditOutbox): Attempts {
  const used = db.prepare('SELECT attempts FROM requests WHERE request_id = ?')
  const select = 'SELECT * FROM intents WHERE request_id = ?'
  const all = db.prepare(`${select} ORDER BY n`)
  const recent = db.prepare(
    `SELECT directory, subject, started_at_ms FROM intents JOIN requests USING (request_id)
     WHERE kind = 'write' AND started_at_ms > ?
       AND (answer IS NULL OR answer IN ('accepted', 'lost') OR answer LIKE 'refused:password_policy:%'
         OR answer LIKE 'refused:wrong_current_password:%' OR answer LIKE 'refused:account_locked:%'
         OR answer LIKE 'refused:change_not_permitted:%') ORDER BY started_at_ms`,
  )
  const wrong = db.prepare(
    `SELECT count(*) AS number FROM requests JOIN intents USING (request_id)
     WHERE directory = ? AND subject = ? AND started_at_ms > ? AND effect = 'change'
       AND (answer IS NULL OR answer = 'lost' OR answer LIKE 'refused:wrong_current_password:%')`,
  )
  const underWay = db.prepare(
    `SELECT 1 FROM requests JOIN intents USING (request_id)
     WHERE directory = ? AND subject = ? AND request_id <> ? AND state = 'open' AND effect = 'change'
       AND answer IS NULL LIMIT 1`,
  )
  const unmarked = db.prepare(
    `SELECT request_id, n, started_at_ms FROM intents INDEXED BY intents_unmarked_doubt CROSS JOIN requests USING (request_id)
     WHERE directory = ? AND subject = ? AND request_id <> ? AND without_marker = 1
       AND (answer IS NULL OR answer = 'lost') ORDER BY started_at_ms DESC LIMIT 1`,
  )
  const confirmed = db.prepare(
    `SELECT sequence, server, password_version_before FROM requests JOIN intents USING (request_id)
     WHERE directory = ? AND subject = ? AND effect IN ('reset', 'change') AND answer = 'accepted'
     ORDER BY sequence DESC, n DESC LIMIT 1`,
  )
  const unsettled = db.prepare(`${select} AND (answer IS NULL OR answer = 'lost') ORDER BY n`)
  return {
    nextAttempt: (requestId) =>
      guarded('read the attempts', () => Number(used.get(requestId)?.['attempts'] ?? 0) + 1),
    intent: recordIntent(db, outbox),
    answer: recordAnswer(db, outbox),
    unsettledIntents: (requestId) =>
      guarded('read the intents', () => unsettled.all(requestId).map(toIntent)),
    recentWrites: (sinceMs) =>
      guarded('read the recent writes', () =>
        recent.all(sinceMs).map((row) => ({
          directory: String(row['directory']),
          account: String(row['subject']),
          atMs: Number(row['started_at_ms']),
        })),
      ),
    lastPasswordWrite: (directory, account) =>
      guarded('read the last password write', () => {
        const row = confirmed.get(directory, account)
        return row && toConfirmedWrite(row)
      }),
    countWrongPasswords: (directory, account, sinceMs) =>
      guarded('count wrong passwords', () => Number(wrong.get(directory, account, sinceMs)?.['number'] ?? 0)),
    isChangeUnderWay: (directory, account, butRequestId) =>
      guarded(
        'look for changes under way',
        () => underWay.get(directory, account, butRequestId) !== undefined,
      ),
    lastUnmarkedDoubt: (directory, account, butRequestId) =>
      guarded('look for writes without a marker', () => {
        const row = unmarked.get(directory, account, butRequestId)
        return (
          row && {
            requestId: String(row['request_id']),
            n: Number(row['n']),
            startedAtMs: Number(row['started_at_ms']),
          }
        )
      }),
    intents: (requestId) => guarded('read the intents', () => all.all(requestId).map(toIntent)),
  }
}

function recordAnswer(db: DatabaseSync, outbox: AuditOutbox): Journal['answer'] {
  const set = db.prepare('UPDATE intents SET answer = ?, untold = 0 WHERE request_id = ? AND n = ?')
  return (requestId, n, answer, told) =>
    transaction(db, 'journal an answer', () => {
      if (set.run(answer, requestId, n).changes !== 1)
        throw new WritebackError('ERR_INTERNAL', `no attempt ${n} of request ${requestId} to answer`)
      if (told) outbox.put(told)
    })
}

function recordIntent(db: DatabaseSync, outbox: AuditOutbox): Journal['intent'] {
  // The counter lives beside the request and only grows, so `n` stays fresh whatever happens to the intents.
  const reserve = db.prepare(
    `UPDATE requests SET attempts = ?1 WHERE request_id = ?2 AND attempts < ?1 AND state = 'open'`,
  )
  const insert = db.prepare(
    `INSERT INTO intents (request_id, n, lease, kind, server, marker_before, marker_after, password_version_before,
     started_at_ms, notices, effect, without_marker, untold) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
  )
  return (intent, told) =>
    transaction(db, 'journal an intent', () => {
      if (reserve.run(intent.n, intent.requestId).changes !== 1)
        throw new WritebackError(
          'ERR_INTERNAL',
          `attempt ${intent.n} of request ${intent.requestId} was used before, or the request is not open`,
        )
      insert.run(
        intent.requestId,
        intent.n,
        intent.lease,
        intent.kind,
        intent.server,
        intent.markerBefore ?? null,
        intent.markerAfter,
        intent.passwordVersionBefore ?? null,
        intent.startedAtMs,
        JSON.stringify(intent.notices),
        intent.effect ?? null,
        Number(intent.withoutMarker ?? false),
        Number(told !== undefined),
      )
      return told ? outbox.put(told) : 0
    })
}

function toConfirmedWrite(row: Record<string, SQLOutputValue>): ConfirmedWrite {
  const version = row['password_version_before']
  return {
    sequence: Number(row['sequence']),
    server: String(row['server']),
    passwordVersion: version === null ? undefined : Number(version) + 1,
  }
}

function toIntent(row: Record<string, SQLOutputValue>): AnsweredIntent {
  const version = row['password_version_before']
  return {
    requestId: String(row['request_id']),
    n: Number(row['n']),
    lease: Number(row['lease']),
    kind: row['kind'] as Intent['kind'],
    server: String(row['server']),
    markerBefore: row['marker_before'] === null ? undefined : String(row['marker_before']),
    markerAfter: String(row['marker_after']),
    passwordVersionBefore: version === null ? undefined : Number(version),
    startedAtMs: Number(row['started_at_ms']),
    // An earlier version kept none.
    notices: row['notices'] === null ? [] : JSON.parse(String(row['notices'])),
    effect: (row['effect'] ?? undefined) as Intent['effect'],
    answer: row['answer'] === null ? undefined : String(row['answer']),
    ...(row['without_marker'] === 1 ? { withoutMarker: true } : {}),
  }
}
