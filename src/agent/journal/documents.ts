// Requests on their way in: documents, leases, receipts, starts, and giving one up.
import type { DatabaseSync, SQLOutputValue } from 'node:sqlite'
import type { Acceptance, AcceptedDocument, EndedRequest, Journal, OpenRequest } from './journal.ts'
import { guarded, transaction } from './transaction.ts'

type Row = Record<string, SQLOutputValue>
type Documents = Pick<
  Journal,
  | 'accept'
  | 'receipt'
  | 'open'
  | 'openIds'
  | 'openCount'
  | 'openLeases'
  | 'heldLeases'
  | 'find'
  | 'findEnded'
  | 'lastEnded'
  | 'started'
  | 'rested'
  | 'release'
>

/** The part of the journal that holds requests until they have an outcome. */
export function createDocuments(db: DatabaseSync): Documents {
  const { accept, release } = acceptance(db)
  const setReceipt = db.prepare(
    `UPDATE requests SET receipt_server = ? WHERE request_id = ? AND lease = ? AND state = 'open'`,
  )
  return {
    accept: (documents) => transaction(db, 'journal documents', () => documents.map(accept)),
    receipt: (items) =>
      transaction(db, 'journal receipts', () =>
        items.map(({ requestId, lease, server }) => setReceipt.run(server, requestId, lease).changes === 1),
      ),
    release: (requestId, lease, atMs) =>
      transaction(db, 'release a request', () => release(requestId, lease, atMs)),
    ...reading(db),
    ...starting(db),
  }
}

function acceptance(db: DatabaseSync) {
  const known = db.prepare('SELECT state, lease FROM requests WHERE request_id = ?')
  const insert = db.prepare(
    `INSERT INTO requests (directory, subject, sequence, lease, expires_at_ms, earlier, last, state, request_id)
     VALUES (?, ?, ?, ?, ?, ?, ?, 'open', ?)`,
  )
  // Attempts and intents stay: what this agent may have written does not depend on who holds the lease.
  const renew = db.prepare(
    `UPDATE requests SET directory = ?, subject = ?, sequence = ?, lease = ?, expires_at_ms = ?, earlier = ?, last = ?,
     receipt_server = NULL, finished_at_ms = NULL, state = 'open' WHERE request_id = ?`,
  )
  const deliverAgain = db.prepare(`UPDATE requests SET state = 'closed' WHERE request_id = ?`)
  const keep = db.prepare('INSERT OR REPLACE INTO documents (request_id, document) VALUES (?, ?)')
  const wipe = db.prepare('DELETE FROM documents WHERE request_id = ?')
  const giveUp = db.prepare(
    `UPDATE requests SET state = 'released', finished_at_ms = ? WHERE request_id = ? AND lease = ? AND state = 'open'`,
  )

  const accept = (document: AcceptedDocument): Acceptance => {
    const row = known.get(document.requestId)
    const verdict = judge(row, document.lease)
    if (verdict === 'closed') deliverAgain.run(document.requestId)
    if (verdict === 'new' || verdict === 'renewed') {
      const step = row === undefined ? insert : renew
      step.run(...columns(document))
      keep.run(document.requestId, document.document)
    }
    return verdict
  }
  const release = (requestId: string, lease: number, atMs: number) => {
    if (giveUp.run(atMs, requestId, lease).changes === 1) wipe.run(requestId)
  }
  return { accept, release }
}

function judge(row: Row | undefined, lease: number): Acceptance {
  if (row === undefined) return 'new'
  if (row['state'] === 'closed' || row['state'] === 'delivered') return 'closed'
  if (lease < Number(row['lease'])) return 'stale'
  // A claim answered twice must not bring back a lease that was given up in between.
  if (row['state'] === 'released') return lease === row['lease'] ? 'stale' : 'new'
  return lease === row['lease'] ? 'held' : 'renewed'
}

function columns(document: AcceptedDocument) {
  return [
    document.directory,
    document.subject,
    document.sequence,
    document.lease,
    document.expiresAtMs,
    JSON.stringify(document.earlier),
    document.last === null ? null : JSON.stringify(document.last),
    document.requestId,
  ]
}

function reading(
  db: DatabaseSync,
): Pick<
  Journal,
  'open' | 'openIds' | 'openCount' | 'openLeases' | 'heldLeases' | 'find' | 'findEnded' | 'lastEnded'
> {
  const all = db.prepare(
    `SELECT r.*, d.document FROM requests r JOIN documents d USING (request_id) WHERE r.state = 'open'
     ORDER BY r.directory, r.sequence`,
  )
  const one = db.prepare(`SELECT * FROM requests WHERE state = 'open' AND request_id = ?`)
  const document = db.prepare('SELECT document FROM documents WHERE request_id = ?')
  const readDocument = (requestId: string) =>
    guarded('read a document', () => String(document.get(requestId)?.['document'] ?? ''))
  const ended = db.prepare(`SELECT * FROM requests WHERE request_id = ? AND state <> 'open'`)
  const last = db.prepare(
    `SELECT request_id, sequence, outcome_bytes FROM requests INDEXED BY requests_of_subject
     WHERE directory = ?1 AND subject = ?2 AND sequence > 0 AND state IN ('closed', 'delivered')
       AND (?3 IS NULL OR outcome = ?3) ORDER BY sequence DESC LIMIT 1`,
  )
  const ids = db.prepare(
    `SELECT request_id FROM requests WHERE state = 'open' AND directory = ? ORDER BY EXISTS (
       SELECT 1 FROM intents WHERE intents.request_id = requests.request_id AND (answer IS NULL OR answer = 'lost')
     ) DESC, sequence`,
  )
  const count = db.prepare(`SELECT count(*) AS number FROM requests WHERE state = 'open' AND directory = ?`)
  const leases = db.prepare(`SELECT request_id, lease FROM requests WHERE state = 'open' ORDER BY sequence`)
  // One index for each state: the many that were delivered are not read. A bare `LIMIT ?` would be planned anew at each call.
  const held = db.prepare(
    `SELECT request_id, lease FROM (
       SELECT request_id, lease, 1 AS is_open FROM requests WHERE state = 'open'
       UNION ALL SELECT request_id, lease, 0 FROM requests WHERE state = 'closed'
     ) ORDER BY is_open DESC, lease DESC LIMIT ? + 0`,
  )
  const toLease = (row: Row) => ({ requestId: String(row['request_id']), lease: Number(row['lease']) })
  return {
    heldLeases: (limit) => guarded('read held requests', () => held.all(limit).map(toLease)),
    openLeases: () => guarded('read open requests', () => leases.all().map(toLease)),
    open: () =>
      guarded('read open requests', () =>
        all.all().map((row) => toOpenRequest(row, () => String(row['document']))),
      ),
    openIds: (directory) =>
      guarded('read open requests', () => ids.all(directory).map((row) => String(row['request_id']))),
    findEnded: (requestId) =>
      guarded('read a request', () => {
        const row = ended.get(requestId)
        return row && toEndedRequest(row)
      }),
    lastEnded: (directory, account, outcome) =>
      guarded('read a request', () => {
        const row = last.get(directory, account, outcome ?? null)
        return (
          row && {
            ...{ requestId: String(row['request_id']), sequence: Number(row['sequence']) },
            bytes: String(row['outcome_bytes']),
          }
        )
      }),
    openCount: (directory) => guarded('count open requests', () => Number(count.get(directory)?.['number'])),
    find: (requestId) =>
      guarded('read a request', () => {
        const row = one.get(requestId)
        return row === undefined ? undefined : toOpenRequest(row, () => readDocument(requestId))
      }),
  }
}

function toOpenRequest(row: Row, readDocument: () => string): OpenRequest {
  return {
    requestId: String(row['request_id']),
    directory: String(row['directory']),
    subject: String(row['subject']),
    sequence: Number(row['sequence']),
    lease: Number(row['lease']),
    // The largest part by far, and seldom wanted: the verified document is at hand.
    get document() {
      return readDocument()
    },
    expiresAtMs: Number(row['expires_at_ms']),
    earlier: JSON.parse(String(row['earlier'])),
    last: row['last'] === null ? null : JSON.parse(String(row['last'])),
    receiptServer: row['receipt_server'] === null ? undefined : String(row['receipt_server']),
    crashStarts: Number(row['starts']),
  }
}

function toEndedRequest(row: Row): EndedRequest {
  const text = (name: string) => (row[name] === null ? undefined : String(row[name]))
  return {
    requestId: String(row['request_id']),
    directory: String(row['directory']),
    subject: String(row['subject']),
    earlier: JSON.parse(String(row['earlier'])),
    state: row['state'] as EndedRequest['state'],
    atMs: Number(row['finished_at_ms']),
    bytes: text('outcome_bytes'),
    storeAnswer: text('store_answer'),
  }
}

function starting(db: DatabaseSync): Pick<Journal, 'started' | 'rested'> {
  const count = db.prepare('UPDATE requests SET starts = starts + 1 WHERE request_id = ? RETURNING starts')
  const takeOff = db.prepare('UPDATE requests SET starts = starts - 1 WHERE request_id = ? AND starts > 0')
  return {
    started: (requestId) => guarded('count a start', () => Number(count.get(requestId)?.['starts'] ?? 0)),
    rested: (requestId) => guarded('take a start off', () => void takeOff.run(requestId)),
  }
}
