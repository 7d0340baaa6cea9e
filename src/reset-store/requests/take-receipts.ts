// Receipts: an agent's promise to carry out a request on one server. The store remembers each before it says yes.
import type { ReceiptsAnswer, ReceiptsCall } from '../../protocol/agent-calls.ts'
import { LEASE_MS } from '../../protocol/identifiers.ts'
import type { RequestRecord, Transaction } from '../database/repository.ts'
import { requireActive } from './active-agent.ts'
import { inTime } from './close-overdue.ts'
import type { StoreContext } from './store-context.ts'

/**
 * Takes receipts. Each is accepted under the agent's own lease while that holds and the request is neither closed nor
 * expired, and not of an inspect, which writes nothing; it renews the lease. Another server under the same lease is one more receipt, so that `earlier` names both.
 */
export async function takeReceipts(
  context: StoreContext,
  agentId: string,
  call: ReceiptsCall,
): Promise<ReceiptsAnswer> {
  // Nothing is announced: whoever waits for a verdict waits for its end.
  const results = await inTime(context, async (records, now) => {
    await requireActive(records, agentId)
    const results: ReceiptsAnswer['results'] = []
    for (const receipt of call.receipts) {
      const isHeld = holdsLease(await records.findRequest(receipt.request), agentId, receipt.lease, now)
      if (isHeld) await accept(records, receipt, agentId, now)
      results.push({ request: receipt.request, result: isHeld ? 'accepted' : 'lease_lost' })
    }
    return results
  })
  return { results }
}

const holdsLease = (request: RequestRecord | undefined, agent: string, lease: number, now: number): boolean =>
  request !== undefined &&
  request.state === 'open' &&
  request.operation !== 'inspect' &&
  request.expiresAt > now &&
  request.lease.agent === agent &&
  request.lease.number === lease &&
  request.lease.until > now

async function accept(
  records: Transaction,
  receipt: ReceiptsCall['receipts'][number],
  agent: string,
  now: number,
): Promise<void> {
  const { request, lease, server } = receipt
  await records.addReceipt(request, { lease, server, agent, at: now, until: now + LEASE_MS })
}
