// Outcomes: the first one wins, its bytes never change, and it is delivered until the store has confirmed it.
import type { DatabaseSync } from 'node:sqlite'
import { WritebackError } from '../../errors/writeback-error.ts'
import type { AuditOutbox } from './audit-outbox.ts'
import type { Journal, RecordedOutcome, Recording } from './journal.ts'
import { guarded, transaction } from './transaction.ts'

type Outcomes = Pick<Journal, 'outcome' | 'undelivered' | 'delivered' | 'counts' | 'purge'>

/** The part of the journal that keeps and delivers outcomes, and forgets them in the end. */
export function createOutcomes(db: DatabaseSync, outbox: AuditOutbox): Outcomes {
  // A bare `LIMIT ?` would be planned anew at each call.
  const waiting = db.prepare(
    `SELECT request_id, outcome_bytes FROM requests WHERE state = 'closed' ORDER BY finished_at_ms LIMIT ? + 0`,
  )
  const confirm = db.prepare(
    `UPDATE requests SET state = 'delivered', store_answer = ?, finished_at_ms = ? WHERE request_id = ? AND state = 'closed'`,
  )
  return {
    outcome: recordOutcome(db, outbox),
    undelivered: (limit) =>
      guarded('read undelivered outcomes', () =>
        waiting.all(limit).map((row) => ({
          requestId: String(row['request_id']),
          bytes: String(row['outcome_bytes']),
        })),
      ),
    delivered: (items, atMs) =>
      transaction(db, 'journal deliveries', () => {
        for (const { requestId, answer } of items) confirm.run(answer, atMs, requestId)
      }),
    ...housekeeping(db),
  }
}

function recordOutcome(db: DatabaseSync, outbox: AuditOutbox): Journal['outcome'] {
  const known = db.prepare('SELECT state, outcome_bytes FROM requests WHERE request_id = ?')
  const close = db.prepare(
    `UPDATE requests SET state = 'closed', outcome = ?, outcome_bytes = ?, finished_at_ms = ? WHERE request_id = ?`,
  )
  // Nobody needs the sealed password any more, so it goes in the same transaction.
  const wipe = db.prepare('DELETE FROM documents WHERE request_id = ?')
  return (outcome: RecordedOutcome, told): Recording =>
    transaction(db, 'journal an outcome', (): Recording => {
      const row = known.get(outcome.requestId)
      if (row === undefined)
        throw new WritebackError('ERR_INTERNAL', `outcome of the unknown request ${outcome.requestId}`)
      if (row['state'] !== 'open') return row['outcome_bytes'] === outcome.bytes ? 'same' : 'kept_out'
      close.run(outcome.outcome, outcome.bytes, outcome.atMs, outcome.requestId)
      wipe.run(outcome.requestId)
      outbox.endIntents(outcome.requestId, outcome.atMs)
      if (told) outbox.put(told)
      return 'recorded'
    })
}

function housekeeping(db: DatabaseSync): Pick<Journal, 'counts' | 'purge'> {
  const count = db.prepare(
    `SELECT count(*) FILTER (WHERE state = 'open') AS open, count(*) FILTER (WHERE state = 'closed') AS undelivered,
     count(*) FILTER (WHERE state IN ('delivered', 'released')) AS finished,
     min(sequence) FILTER (WHERE state = 'open' AND sequence > 0) AS oldest_open,
     min(finished_at_ms) FILTER (WHERE state = 'closed') AS oldest_undelivered FROM requests`,
  )
  // Never before its expiry: until then the store may hand the request out again.
  const forget = db.prepare(
    `DELETE FROM requests WHERE state IN ('delivered', 'released') AND finished_at_ms < ?1 AND expires_at_ms < ?1`,
  )
  return {
    counts: () =>
      guarded('count requests', () => {
        const row = count.get()
        const at = (name: string) => Number(row?.[name])
        const momentAt = (name: string) => (row?.[name] === null ? undefined : at(name))
        return {
          ...{ open: at('open'), undelivered: at('undelivered'), finished: at('finished') },
          oldestOpenAt: momentAt('oldest_open'),
          oldestUndeliveredAt: momentAt('oldest_undelivered'),
        }
      }),
    purge: (beforeMs) => {
      const forgotten = transaction(db, 'forget old requests', () => Number(forget.run(beforeMs).changes))
      // Old pages live on in the write-ahead log until it is cut.
      guarded('cut the write-ahead log', () => db.exec('PRAGMA wal_checkpoint(TRUNCATE)'))
      return forgotten
    },
  }
}
