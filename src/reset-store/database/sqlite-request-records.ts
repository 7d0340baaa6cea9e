// Requests, leases, receipts and outcomes in SQLite.
import type { DatabaseSync } from 'node:sqlite'
import { SETTLE_AFTER_EXPIRY_MS } from '../../protocol/identifiers.ts'
import type { OnUndone } from './group-commit.ts'
import type {
  HeldLease,
  LeaseRecord,
  OutcomeResult,
  ReceiptRecord,
  RequestRecord,
  RequestRecords,
} from './repository.ts'
import { type RequestRow, requestOf } from './request-row.ts'
import { createDueRequests, type DueRequests } from './sqlite-due-requests.ts'

/** Prepares the statements once and gives the methods over them. */
export function createRequestRecords(database: DatabaseSync, onUndone: OnUndone): RequestRecords {
  const due = createDueRequests(database, onUndone)
  return {
    ...lifecycleMethods(database, due),
    ...searchMethods(database, due),
    findClaimable: claimableMethod(database),
    ...leaseMethods(database),
    ...outcomeMethods(database),
    findNeededKeys: neededKeysMethod(database),
    purgeRequests: purgeMethod(database),
  }
}

const MOST_KEPT = 32

const one = (row: unknown): RequestRecord | undefined =>
  row === undefined ? undefined : requestOf(row as RequestRow)
const all = (rows: unknown[]): RequestRecord[] => (rows as RequestRow[]).map(requestOf)

function lifecycleMethods(
  database: DatabaseSync,
  due: DueRequests,
): Pick<RequestRecords, 'addRequest' | 'lastSequence' | 'issueRequest' | 'closeRequest'> {
  const add = database.prepare(
    `INSERT INTO requests (id, directory, anchor, display_name, operation, options, actor, creator, created_at,
       expires_at, offered_keys, state, due_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 'unsealed', ?)`,
  )
  const sequence = database.prepare('SELECT last_sequence FROM subjects WHERE directory = ? AND anchor = ?')
  const raise = database.prepare(
    `INSERT INTO subjects (directory, anchor, last_sequence) VALUES (?, ?, ?)
       ON CONFLICT DO UPDATE SET last_sequence = excluded.last_sequence`,
  )
  const issue = database.prepare(
    `UPDATE requests SET state = 'open', sealed_digest = ?, sealed_at = ?, sealed_keys = ?, sequence = ?, document = ?
       WHERE id = ?`,
  )
  const close = database.prepare(
    `UPDATE requests SET state = 'closed', due_at = NULL, document = NULL, lease_until = min(lease_until, ?),
       outcome = ?, outcome_agent = ?, outcome_server = ?, outcome_marker = ?, reason = ?, notices = ?, detail = ?,
       account = ?, rule = ?, policy = ?, closed_at = ?, replaced = ? WHERE id = ?`,
  )
  return {
    addRequest: async (request) => {
      const { id, directory, anchor, displayName, operation, creator, createdAt, expiresAt } = request
      const [options, actor, keys] = [request.options, request.actor, request.offeredKeys].map((value) =>
        JSON.stringify(value),
      ) as [string, string, string]
      add.run(
        ...[id, directory, anchor, displayName, operation, options, actor, creator],
        ...[createdAt, expiresAt, keys, expiresAt],
      )
      due.added(expiresAt)
    },
    lastSequence: async (directory, anchor) =>
      Number(sequence.get(directory, anchor)?.['last_sequence'] ?? 0),
    issueRequest: async ({ id, directory, anchor }, { digest, at, keys, sequence, document }) => {
      if (sequence !== null) raise.run(directory, anchor, sequence)
      issue.run(digest, at, JSON.stringify(keys), sequence, document, id)
    },
    closeRequest: async (id, closing, replaces) => {
      const { outcome, agent, server, marker, reason, notices, detail, account, rule, policy, at } = closing
      close.run(
        ...[at, outcome, agent, server, marker, reason, JSON.stringify(notices), detail],
        ...[account, rule, policy].map((value) => value && JSON.stringify(value)),
        ...[at, replaces ? 1 : 0, id],
      )
    },
  }
}

// One that ended without a write or a fence of its own says nothing of where the account stands; the one before it does.
const MAY_HAVE_WRITTEN = `(r.received = 1 AND (r.outcome IS NULL OR r.outcome IN ('applied', 'unknown')
  OR coalesce(instr(r.outcome_marker, replace(r.id, '-', '')), 0) > 0))`

function searchMethods(
  database: DatabaseSync,
  due: DueRequests,
): Pick<
  RequestRecords,
  | 'findRequest'
  | 'listRequests'
  | 'findLastBegun'
  | 'countWriting'
  | 'findOverdue'
  | 'findLeased'
  | 'findNewest'
> {
  const writing = database.prepare(
    `SELECT count(*) AS number FROM requests INDEXED BY requests_out
       WHERE directory = ? AND anchor = ? AND state = ? AND state <> 'closed' AND operation <> 'inspect'`,
  )
  const find = database.prepare('SELECT * FROM requests WHERE id = ?')
  const list = database.prepare('SELECT * FROM requests ORDER BY id DESC LIMIT ?')
  // In the order in which they came, whatever the clock said.
  const lastBegun = database.prepare(
    `SELECT * FROM requests INDEXED BY requests_of_subject WHERE directory = ? AND anchor = ? AND creator = ?
       AND (? IS NULL OR outcome = ?) ORDER BY rowid DESC LIMIT 1`,
  )
  const leased = database.prepare(
    `SELECT id, directory, lease AS number, lease_claim AS claim FROM requests
       WHERE lease_agent = ? AND state = 'open' AND lease_until > ? ORDER BY sealed_at`,
  )
  const newest = database.prepare(
    `SELECT * FROM requests AS r WHERE directory = ? AND anchor = ? AND sequence IS NOT NULL AND id <> ?
       AND ${MAY_HAVE_WRITTEN} ORDER BY sequence DESC LIMIT 1`,
  )
  return {
    findRequest: async (id) => one(find.get(id)),
    listRequests: async (most) => all(list.all(most)),
    findLastBegun: async ({ directory, anchor }, creator, outcome) =>
      one(lastBegun.get(directory, anchor, creator, outcome ?? null, outcome ?? null)),
    countWriting: async (directory, anchor, state) =>
      Number(writing.get(directory, anchor, state)?.['number']),
    findOverdue: async (now) => due.find(now),
    findLeased: async (agent, now) => leased.all(agent, now) as unknown as HeldLease[],
    findNewest: async (directory, anchor, butId = '') => one(newest.get(directory, anchor, butId)),
  }
}

// In the order of its index, one directory at a time: only as many rows are read as there are places, and more of them where
// one subject has several.
function claimableMethod(database: DatabaseSync): RequestRecords['findClaimable'] {
  const claimable = database.prepare(
    `SELECT * FROM requests AS r INDEXED BY requests_claimable
     WHERE state = 'open' AND directory = ?1 AND lease_until <= ?2
       AND (received = 1 OR (expires_at > ?2 AND (?3 = 0 OR sequence IS NULL)))
       AND (sealed_keys = '[]' OR EXISTS (
         SELECT 1 FROM json_each(r.sealed_keys) WHERE value IN (SELECT value FROM json_each(?4))))
       AND NOT EXISTS (SELECT 1 FROM outcomes WHERE request = r.id AND agent = ?5)
       AND (sequence IS NULL OR NOT EXISTS (
         SELECT 1 FROM requests AS out INDEXED BY requests_out
           WHERE out.directory = r.directory AND out.anchor = r.anchor
           AND out.state <> 'closed' AND out.operation <> 'inspect' AND out.lease_until > ?2))
     ORDER BY coalesce(sequence, sealed_at) LIMIT ?6 + 0`,
  )
  return async (agent, now, { places, onlyReceived }) => {
    const keys = JSON.stringify(agent.sealingKeys.map(({ kid }) => kid))
    const mode = onlyReceived ? 1 : 0
    const found = [...new Set(agent.directories)].flatMap((directory) => {
      const free = Object.hasOwn(places, directory) ? (places[directory] ?? 0) : 0
      if (free === 0) return []
      for (let most = free; ; most *= 4) {
        const wish = [directory, now, mode, keys, agent.id, most]
        const rows = claimable.all(...wish) as unknown as RequestRow[]
        const firsts = onePerSubject(rows, free)
        if (firsts.length === free || rows.length < most) return firsts
      }
    })
    return found.sort((a, b) => orderOf(a) - orderOf(b)).map(requestOf)
  }
}

const orderOf = ({ sequence, sealed_at: at }: RequestRow): number => sequence ?? at ?? 0

function onePerSubject(rows: readonly RequestRow[], free: number): RequestRow[] {
  const found = new Map<string, RequestRow>()
  for (const row of rows) {
    const subject = row.sequence === null ? row.id : row.anchor
    if (found.has(subject)) continue
    found.set(subject, row)
    if (found.size === free) break
  }
  return [...found.values()]
}

function leaseMethods(
  database: DatabaseSync,
): Pick<RequestRecords, 'grantLease' | 'setLeaseEnd' | 'addReceipt' | 'listLeases' | 'listReceipts'> {
  const grant = database.prepare(
    'UPDATE requests SET lease = ?, lease_agent = ?, lease_claim = ?, lease_until = ? WHERE id = ?',
  )
  const addLease = database.prepare('INSERT INTO leases (request, lease, agent, at) VALUES (?, ?, ?, ?)')
  // What an agent was handed once must be known for as long as it may deliver an outcome.
  const countLeases = database.prepare('SELECT count(*) AS number FROM leases WHERE request = ?')
  const trimLeases = database.prepare(
    `DELETE FROM leases WHERE request = :id
       AND lease NOT IN (SELECT lease FROM leases WHERE request = :id ORDER BY lease DESC LIMIT ${MOST_KEPT})
       AND lease NOT IN (SELECT max(lease) FROM leases WHERE request = :id GROUP BY agent)`,
  )
  const countReceipts = database.prepare('SELECT count(*) AS number FROM receipts WHERE request = ?')
  const trimReceipts = database.prepare(
    `DELETE FROM receipts WHERE request = :id
       AND (lease, server) NOT IN
         (SELECT lease, server FROM receipts WHERE request = :id ORDER BY lease DESC, at DESC LIMIT ${MOST_KEPT})
       AND (lease, server) NOT IN
         (SELECT max(lease), server FROM receipts WHERE request = :id GROUP BY agent, server)`,
  )
  const setEnd = database.prepare('UPDATE requests SET lease_until = ? WHERE id = ?')
  const addReceipt = database.prepare(
    'INSERT INTO receipts (request, lease, server, agent, at) VALUES (?, ?, ?, ?, ?) ON CONFLICT DO NOTHING',
  )
  const received = database.prepare(
    `UPDATE requests SET received = 1, lease_until = ?,
       due_at = CASE received WHEN 0 THEN expires_at + ${SETTLE_AFTER_EXPIRY_MS} ELSE due_at END WHERE id = ?`,
  )
  const leases = database.prepare('SELECT lease, agent, at FROM leases WHERE request = ? ORDER BY lease')
  const receipts = database.prepare(
    'SELECT lease, server, agent, at FROM receipts WHERE request = ? ORDER BY lease, at',
  )
  return {
    grantLease: async (id, { number, agent, claim, until, at }) => {
      grant.run(number, agent, claim, until, id)
      addLease.run(id, number, agent, at)
      if (Number(countLeases.get(id)?.['number']) > MOST_KEPT) trimLeases.run({ id })
    },
    setLeaseEnd: async (id, until) => void setEnd.run(until, id),
    addReceipt: async (id, { lease, server, agent, at, until }) => {
      addReceipt.run(id, lease, server, agent, at)
      received.run(until, id)
      if (Number(countReceipts.get(id)?.['number']) > MOST_KEPT) trimReceipts.run({ id })
    },
    listLeases: async (id) => leases.all(id) as unknown as LeaseRecord[],
    listReceipts: async (id) => receipts.all(id) as unknown as ReceiptRecord[],
  }
}

function neededKeysMethod(database: DatabaseSync): RequestRecords['findNeededKeys'] {
  const needed = database.prepare(
    `SELECT DISTINCT key.value AS kid
     FROM requests AS r INDEXED BY requests_out,
       json_each(CASE r.state WHEN 'unsealed' THEN r.offered_keys ELSE r.sealed_keys END) AS key
     WHERE r.state <> 'closed' AND r.operation <> 'inspect' AND key.value IN (SELECT value FROM json_each(?))`,
  )
  return async (kids) => needed.all(JSON.stringify(kids)).map(({ kid }) => String(kid))
}

function outcomeMethods(
  database: DatabaseSync,
): Pick<RequestRecords, 'findOutcome' | 'countOutcomes' | 'addOutcome'> {
  const count = database.prepare('SELECT count(*) AS number FROM outcomes WHERE request = ?')
  const find = database.prepare('SELECT result FROM outcomes WHERE request = ? AND digest = ?')
  const add = database.prepare(
    'INSERT INTO outcomes (request, digest, agent, jws, result, at) VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING',
  )
  return {
    findOutcome: async (id, digest) => find.get(id, digest)?.['result'] as OutcomeResult | undefined,
    countOutcomes: async (id) => Number(count.get(id)?.['number']),
    addOutcome: async (id, { digest, agent, jws, result, at }) =>
      void add.run(id, digest, agent, jws, result, at),
  }
}

function purgeMethod(database: DatabaseSync): RequestRecords['purgeRequests'] {
  const walk = database.prepare(
    `SELECT id, closed_at, ${MAY_HAVE_WRITTEN} AND NOT EXISTS (
         SELECT 1 FROM requests AS newer WHERE newer.directory = r.directory AND newer.anchor = r.anchor
           AND newer.sequence > r.sequence AND newer.state = 'closed' AND ${MAY_HAVE_WRITTEN.replaceAll('r.', 'newer.')}
       ) AS is_last
     FROM requests AS r WHERE closed_at <= ? AND (closed_at, id) > (?, ?) ORDER BY closed_at, id LIMIT ?`,
  )
  const deletions = ['leases', 'receipts', 'outcomes'].map((table) =>
    database.prepare(`DELETE FROM ${table} WHERE request = ?`),
  )
  deletions.push(database.prepare('DELETE FROM requests WHERE id = ?'))
  return async ({ closedUntil, after = { closedAt: 0, id: '' }, most }) => {
    const rows = walk.all(closedUntil, after.closedAt, after.id, most) as unknown as PurgeRow[]
    for (const { id, is_last: isLast } of rows)
      if (isLast === 0) for (const deletion of deletions) deletion.run(id)
    const last = rows.length === most ? rows.at(-1) : undefined
    return last && { closedAt: last.closed_at, id: last.id }
  }
}

interface PurgeRow {
  readonly id: string
  readonly closed_at: number
  readonly is_last: 0 | 1
}
