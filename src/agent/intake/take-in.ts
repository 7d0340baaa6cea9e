// One claim answer, taken in: leases noted, documents verified and journaled, receipts confirmed, work queued.

import type { ClaimedRequest } from '../../protocol/agent-calls.ts'
import type { RequestDocument } from '../../protocol/request-document.ts'
import { errorFields, failureLine } from '../../telemetry/logger.ts'
import { isExpired } from '../decisions/judge-document.ts'
import type { Lease } from '../decisions/leases.ts'
import type { AcceptedDocument } from '../journal/journal.ts'
import type { IntakeParts } from './intake-parts.ts'
import { type Verified, verifyClaimed } from './verify-claimed.ts'

/**
 * Notes which leases hold: those confirmed, from the moment the call was sent; the others are lost. What ended while
 * the call was under way is noted no more.
 */
export function noteLeases(
  parts: Pick<IntakeParts, 'leases' | 'journal'>,
  named: readonly Lease[],
  renewed: readonly Lease[],
  sentMs: number,
): void {
  const held = new Set(renewed.map(({ request, lease }) => `${request} ${lease}`))
  const open = new Set(parts.journal.openLeases().map(({ requestId }) => requestId))
  for (const lease of named) {
    if (!open.has(lease.request)) continue
    if (held.has(`${lease.request} ${lease.lease}`)) parts.leases.confirm(lease, sentMs)
    else parts.leases.lose(lease)
  }
}

/**
 * Takes in what a claim handed out; gives how many were not known to be over. Throws ERR_JOURNAL_UNUSABLE; the leases
 * then lapse and nothing is lost.
 */
export async function takeIn(
  parts: IntakeParts,
  claimed: readonly ClaimedRequest[],
  sentMs: number,
  signal: AbortSignal,
): Promise<number> {
  const all = await Promise.all(claimed.map((one) => verifyClaimed(one, parts.addressee, parts.findKey)))
  const verified = all.filter((one) => 'document' in one || !isUnderWay(parts, one))
  const acceptances = parts.journal.accept(verified.map(acceptedOf))
  await parts.journal.durable()
  const fresh: Extract<Verified, { document: unknown }>[] = []
  let invalid = 0
  for (const [index, one] of verified.entries()) {
    const acceptance = acceptances[index]
    if (acceptance === 'closed') parts.wakeReporter()
    if (acceptance === 'closed' || acceptance === 'stale') continue
    parts.leases.confirm({ request: one.claimed.request, lease: one.claimed.lease }, sentMs)
    if ('document' in one) fresh.push(one)
    else {
      invalid += 1
      await parts.refuseInvalid({ requestId: one.claimed.request, ...one.claimed }, one.fault)
    }
  }
  for (const { document } of fresh) parts.documents.put(document)
  // Side by side: a request may be read while its receipt is given; no write begins before the receipt is accepted.
  await Promise.all([
    promise(parts, fresh, signal),
    enqueueAll(
      parts,
      fresh.map(({ document }) => document),
    ),
  ])
  return fresh.length + invalid
}

// An invalid document must not end a request that was accepted with a valid one: something may be written already.
function isUnderWay({ journal, log }: IntakeParts, { claimed, fault }: Extract<Verified, { fault: string }>) {
  const known = journal.find(claimed.request)
  if (!known || known.document === '') return false
  log.warn('an invalid document for a request under way is left aside', { requestId: known.requestId, fault })
  return true
}

// A receipt that cannot be given now is given before the write; the request is queued all the same.
async function promise(
  parts: IntakeParts,
  fresh: readonly Extract<Verified, { document: unknown }>[],
  signal: AbortSignal,
): Promise<void> {
  const receipts = fresh.flatMap(({ claimed, document }) => {
    const server = parts.serverOf(document.directory)
    // A receipt promises a write, and an inspection makes none.
    const isWorthwhile = document.operation !== 'inspect' && !isExpired(document, parts.storeTime.nowMs())
    // What may be under way on another server is settled there first; a receipt for this one would hide that it is not.
    const isHereAlone = claimed.earlier.every((receipt) => receipt.server === server)
    return isWorthwhile && isHereAlone && server !== undefined
      ? [{ request: claimed.request, lease: claimed.lease, server }]
      : []
  })
  try {
    await parts.receipts.confirm(receipts, signal)
  } catch (error) {
    parts.log.warn('receipts are not confirmed yet', { count: receipts.length, ...errorFields(error) })
  }
}

async function enqueueAll(parts: IntakeParts, documents: readonly RequestDocument[]): Promise<void> {
  for (const [directory, group] of Map.groupBy(documents, (document) => document.directory)) {
    try {
      await parts.enqueue(
        directory,
        group.map(({ id }) => id),
      )
      parts.conditions.clear('queue_unreachable', '')
    } catch (error) {
      // They are journaled; the queue is filled from the journal when it is back.
      parts.conditions.raise('queue_unreachable', '', failureLine(error))
    }
  }
}

function acceptedOf(verified: Verified): AcceptedDocument {
  const { claimed } = verified
  const shared = {
    requestId: claimed.request,
    lease: claimed.lease,
    document: claimed.document,
    earlier: claimed.earlier,
    last: claimed.last,
  }
  // An invalid document is journaled under its id only, so that its outcome can be delivered.
  if (!('document' in verified))
    return { ...shared, directory: '', subject: '', sequence: 0, expiresAtMs: 0, document: '' }
  const { document } = verified
  return {
    ...shared,
    directory: document.directory,
    subject: document.subject.anchor,
    sequence: 'sequence' in document ? document.sequence : 0,
    expiresAtMs: document.expiresAt,
  }
}
