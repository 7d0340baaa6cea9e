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
  const previous = await records.findPrevious(directory, anchor, issue.sequence)
  if (!previous) return null
  const { closing } = previous
  const server = closing?.server ?? (await records.listReceipts(previous.id)).at(-1)?.server
  if (server === undefined) return null
  const settled = closing !== null && closing.outcome !== 'unknown'
  return { server, marker: closing?.marker ?? null, settled }
}
