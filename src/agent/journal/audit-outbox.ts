// What the audit record must still take over. An entry is kept in the same transaction as the step that it tells of, and leaves
// when it stands in the record: so each step is told exactly once, whenever the process ends.
import type { DatabaseSync, SQLOutputValue } from 'node:sqlite'
import { type AuditEntry, resultOf } from '../decisions/audit-entry.ts'
import type { Journal } from './journal.ts'
import { guarded, synced, transaction } from './transaction.ts'

/** The part of the journal that the audit record is fed from. */
export interface AuditOutbox
  extends Pick<Journal, 'auditEntries' | 'auditAppended' | 'auditTaken' | 'auditResume' | 'auditSettle'> {
  /** Within a transaction: keeps one entry and gives its number. */
  readonly put: (entry: AuditEntry) => number
  /** Within a transaction: gives every intent of a request that has no result the one that will ever be known. */
  readonly endIntents: (requestId: string, atMs: number) => void
  /** Gives what to do when everything that was put until now is on the disk. */
  readonly atCommit: () => () => void
}

type Row = Record<string, SQLOutputValue>
const UNTOLD = `SELECT i.*, r.directory FROM intents i JOIN requests r USING (request_id) WHERE i.untold = 1`

/** Makes it. */
export function createAuditOutbox(db: DatabaseSync): AuditOutbox {
  const insert = db.prepare('INSERT INTO audit_outbox (record) VALUES (?)')
  const newest = db.prepare('SELECT max(entry) AS entry FROM audit_outbox')
  const untoldOf = db.prepare(`${UNTOLD} AND i.request_id = ? ORDER BY i.n`)
  const tell = db.prepare('UPDATE intents SET untold = 0 WHERE request_id = ? AND n = ?')
  let durable = 0
  const put = (entry: AuditEntry) => Number(insert.run(JSON.stringify(entry)).lastInsertRowid)
  const end = (row: Row, atMs: number) => {
    put(toResult(row, atMs))
    tell.run(String(row['request_id']), Number(row['n']))
  }
  const atCommit = () => {
    const entry = Number(newest.get()?.['entry'] ?? 0)
    return () => {
      durable = Math.max(durable, entry)
    }
  }
  return {
    ...{ put, atCommit },
    endIntents: (requestId, atMs) => {
      for (const row of untoldOf.all(requestId)) end(row, atMs)
    },
    ...emptying(db, () => durable),
    ...resuming(db, end, () => atCommit()()),
  }
}

function emptying(
  db: DatabaseSync,
  durable: () => number,
): Pick<AuditOutbox, 'auditEntries' | 'auditAppended' | 'auditTaken'> {
  // A bare `LIMIT ?` would be planned anew at each call.
  const waiting = db.prepare(
    'SELECT entry, record FROM audit_outbox WHERE entry > ? AND entry <= ? ORDER BY entry LIMIT ? + 0',
  )
  const remove = db.prepare('DELETE FROM audit_outbox WHERE entry <= ?')
  const note = db.prepare(`INSERT OR REPLACE INTO settings (key, value) VALUES ('audit taken', ?)`)
  const noted = db.prepare(`SELECT value FROM settings WHERE key = 'audit taken'`)
  const all = db.prepare('SELECT entry, record FROM audit_outbox ORDER BY entry')
  const toEntry = (row: Row) => ({ entry: Number(row['entry']), record: String(row['record']) })
  return {
    // What a power cut could still take back must not stand in the record: it would be told again, otherwise or never.
    auditEntries: (after, limit) =>
      guarded('read what the audit record waits for', () =>
        waiting.all(after, durable(), limit).map(toEntry),
      ),
    auditAppended: (through, { sequence, hash }) =>
      transaction(db, 'note what the audit record has', () => {
        remove.run(through)
        note.run(JSON.stringify({ sequence, hash }))
      }),
    auditTaken: () =>
      guarded('read what the audit record has', () => {
        const row = noted.get()
        return row && { ...JSON.parse(String(row['value'])), waiting: all.all().map(toEntry) }
      }),
  }
}

function resuming(
  db: DatabaseSync,
  end: (row: Row, atMs: number) => void,
  settled: () => void,
): Pick<AuditOutbox, 'auditResume' | 'auditSettle'> {
  const remove = db.prepare('DELETE FROM audit_outbox WHERE entry <= ?')
  const untold = db.prepare(`${UNTOLD} ORDER BY i.started_at_ms, i.n`)
  // The numbers go on from the record's even when the journal is older than the record: none is used twice.
  const makeCounter = db.prepare(
    `INSERT INTO sqlite_sequence (name, seq) SELECT 'audit_outbox', 0
     WHERE NOT EXISTS (SELECT 1 FROM sqlite_sequence WHERE name = 'audit_outbox')`,
  )
  const raise = db.prepare(`UPDATE sqlite_sequence SET seq = max(seq, ?) WHERE name = 'audit_outbox'`)
  const position = db.prepare(
    `SELECT (SELECT min(entry) FROM audit_outbox) AS oldest,
       (SELECT seq FROM sqlite_sequence WHERE name = 'audit_outbox') AS counted`,
  )
  const mark = db.prepare(`INSERT OR REPLACE INTO settings (key, value) VALUES ('audit settled', ?)`)
  let marks = 0
  const settle = () => {
    marks += 1
    mark.run(String(marks))
  }
  return {
    auditResume: (through, atMs) => {
      const resume = () => {
        const { oldest, counted } = position.get() ?? {}
        remove.run(through)
        makeCounter.run()
        raise.run(through)
        for (const row of untold.all()) end(row, atMs)
        settle()
        return Math.max(through, oldest == null ? Number(counted ?? 0) : Number(oldest) - 1)
      }
      const taken = synced(db, () => transaction(db, 'resume the audit record', resume))
      settled()
      return taken
    },
    auditSettle: () => {
      synced(db, () => transaction(db, 'settle the audit record', settle))
      settled()
    },
  }
}

const toResult = (row: Row, atMs: number): AuditEntry =>
  resultOf(
    {
      request: String(row['request_id']),
      attempt: Number(row['n']),
      lease: Number(row['lease']),
      directory: String(row['directory']),
      action: (row['kind'] === 'fence' ? 'fence' : row['effect']) as 'fence',
      server: String(row['server']),
      marker: row['without_marker'] === 1 ? null : String(row['marker_after']),
    },
    row['answer'] === null ? 'unanswered' : String(row['answer']),
    atMs,
  )
