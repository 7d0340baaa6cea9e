// What an agent is told along with a request: who may have written for it before, and where the subject stands.
import type { ClaimedRequest } from '../../protocol/agent-calls.ts'
import type { RequestRecord, Transaction } from '../database/repository.ts'

/** Describes an open request under its newest lease. */
export async function describeClaimed(records: Transaction, request: RequestRecord): Promise<ClaimedRequest> {
  const { id, lease, document } = request
  return {
    request: id,
    lease: lease.number,
    document: document ?? '',
    earlier: request.received ? await earlierOf(records, request) : [],
    last: await lastOf(records, request),
  }
}

async function earlierOf(records: Transaction, request: RequestRecord): Promise<ClaimedRequest['earlier']> {
  const found = new Map<string, ClaimedRequest['earlier'][number]>()
  for (const { lease, agent, server } of await records.listReceipts(request.id))
    if (lease < request.lease.number) found.set(`${agent} ${server}`, { agent, server })
  return [...found.values()]
}

async function lastOf(records: Transaction, request: RequestRecord): Promise<ClaimedRequest['last']> {
  const { directory, anchor, issue } = request
  // An inspect reads only; it needs no writer to be settled before it.
  if (!issue || issue.sequence === null) return null
  const last = await records.findNewest(directory, anchor, request.id)
  if (!last) return null
  const { closing } = last
  const received = (await records.listReceipts(last.id)).map(({ server }) => server).toReversed()
  const [server, ...others] = new Set([...(closing?.server ? [closing.server] : []), ...received])
  if (server === undefined) return null
  const settled = closing !== null && closing.outcome !== 'unknown'
  // Whoever took over had a receipt for another server, perhaps, and may have sent nothing there.
  return { server, marker: closing?.marker ?? null, settled, others: settled ? [] : others }
}
