// What the store decides by time alone. Called first in every transaction that looks at requests, so no answer is late.
import type { Closing, RequestRecord, Transaction } from '../database/repository.ts'
import { requestKey } from './changes.ts'
import type { StoreContext } from './store-context.ts'

/**
 * Closes what is overdue: `expired` when no receipt was ever accepted, else `unknown` (60 s after expiry). Returns the
 * ids, to be announced when the transaction is durable.
 */
export async function closeOverdue(records: Transaction, now: number): Promise<readonly string[]> {
  const overdue = await records.findOverdue(now)
  for (const request of overdue) await records.closeRequest(request.id, closingByTime(request, now), false)
  return overdue.map(({ id }) => id)
}

const closingByTime = (request: RequestRecord, now: number): Closing => ({
  outcome: request.received ? 'unknown' : 'expired',
  agent: null,
  server: null,
  marker: null,
  reason: null,
  notices: [],
  detail: null,
  account: null,
  rule: null,
  policy: null,
  at: now,
})

/** Runs `work` in a transaction in which nothing overdue is left open. */
export async function inTime<T>(
  context: StoreContext,
  work: (records: Transaction, now: number) => Promise<T>,
): Promise<T> {
  const { result, closed } = await context.repository.transaction(async (records) => {
    const now = context.clock.wallMs()
    const closed = await closeOverdue(records, now)
    return { result: await work(records, now), closed }
  })
  for (const id of closed) context.changes.announce(requestKey(id))
  return result
}
