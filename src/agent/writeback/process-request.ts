// The way of one request, from the queue to its outcome. Reads as what a support engineer would say.
import { isRetryable, WritebackError } from '../../errors/writeback-error.ts'
import { errorFields } from '../../telemetry/logger.ts'
import { isBeyondSettling } from '../decisions/judge-document.ts'
import { isDoubtful } from '../decisions/judge-doubt.ts'
import type { AnsweredIntent } from '../journal/journal.ts'
import { conclude } from './conclude.ts'
import { findObstacle } from './find-obstacle.ts'
import { settleDoubt } from './settle-doubt.ts'
import { end, GIVE_UP, type Step } from './step.ts'
import { writeOnce } from './write-once.ts'
import type { Work, WritebackParts } from './writeback-parts.ts'

/** What the queue is told. `retryAfterMs`: the directory is away, everything behind waits too. */
export type Processed = 'done' | { readonly retryAfterMs: number } | { readonly laterMs: number }

// A request that ended the process so often is not tried again.
const MOST_STARTS = 6
// Compare-and-set races end after a round or two; more means a defect, and the queue slows it down.
const MOST_ROUNDS = 10
const CROWDED_LOOK_MS = 2_000
const STORE_AWAY_MS = 1_000

/** Carries one request as far as it goes now. Throws only for defects; the queue then tries again later. */
export async function processRequest(
  parts: WritebackParts,
  requestId: string,
  signal: AbortSignal,
): Promise<Processed> {
  const starts = parts.journal.started(requestId)
  const step = await carryOut(parts, requestId, starts, signal)
  if (step.kind === 'end' || step.kind === 'give_up') return 'done'
  parts.journal.rested(requestId)
  return step
}

type Carried =
  | { readonly kind: 'end' }
  | { readonly kind: 'give_up' }
  | { readonly kind: 'rest'; readonly laterMs: number }
  | { readonly kind: 'rest'; readonly retryAfterMs: number }

async function carryOut(
  parts: WritebackParts,
  requestId: string,
  starts: number,
  signal: AbortSignal,
): Promise<Carried> {
  for (let round = 0; round < MOST_ROUNDS && !signal.aborted; round += 1) {
    const work = await loadWork(parts, requestId)
    if (!work) return { kind: 'end' }
    const step = await takeStep(parts, work, starts).catch((error: unknown) => restFrom(parts, work, error))
    if (step.kind === 'end') {
      await conclude(
        parts,
        { requestId, lease: work.open.lease, directory: work.document.directory },
        step.ending,
        step.circumstances,
      )
      return { kind: 'end' }
    }
    if (step.kind === 'give_up') {
      work.log.warn('the lease is lost; the request is left to another agent')
      // A newer lease may have come meanwhile; it is not this one's to give up.
      parts.journal.release(requestId, work.open.lease, parts.clock.wallMs())
      parts.leases.drop({ request: requestId, lease: work.open.lease })
      return { kind: 'give_up' }
    }
    if (step.kind === 'wait') return { kind: 'rest', laterMs: step.ms }
    if (step.kind === 'away') return { kind: 'rest', retryAfterMs: step.ms }
  }
  return { kind: 'rest', laterMs: CROWDED_LOOK_MS }
}

/** Settle first what may have happened; then refuse what must not be written; then write once. */
async function takeStep(parts: WritebackParts, work: Work, starts: number): Promise<Step> {
  const { open, document, doubt, served } = work
  if (parts.leases.isLost({ request: open.requestId, lease: open.lease })) return GIVE_UP
  const isInDoubt = isDoubtful(doubt)
  if (isInDoubt && isBeyondSettling(document, parts.storeTime.nowMs())) return end({ outcome: 'unknown' })
  if (!isInDoubt) {
    if (starts > MOST_STARTS)
      return end(
        { outcome: 'failed', reason: 'internal' },
        { detail: 'the request ended the agent several times and is not tried again' },
      )
    const obstacle = findObstacle(parts, work)
    if (obstacle) return obstacle
  }
  const session = await served.directory.writer()
  if (isInDoubt) {
    const settled = (await settleDoubt(parts, work, session)) ?? findObstacle(parts, work)
    if (settled) return settled
  }
  if (open.receiptServer !== session.server && !(await parts.confirmReceipt(open, session.server)))
    return GIVE_UP
  const step = await writeOnce(parts, work, session)
  served.backoff.reset()
  parts.conditions.clear('directory_unreachable', document.directory)
  return step
}

async function loadWork(parts: WritebackParts, requestId: string): Promise<Work | undefined> {
  const open = parts.journal.find(requestId)
  if (!open) return undefined
  const document = await parts.readDocument(open)
  const served = parts.directories.get(open.directory)
  if (document.operation !== 'reset' || !served)
    throw new WritebackError(
      'ERR_INTERNAL',
      `request ${requestId} was accepted though this agent cannot carry it out`,
    )
  const unanswered = parts.journal.intents(requestId).filter(mayHaveLanded)
  const log = parts.log.child({ component: 'writeback', requestId, directory: open.directory })
  return { open, document, served, doubt: { unanswered, earlier: open.earlier }, log }
}

// An accepted write without an outcome is in doubt too: the process ended between the two.
const mayHaveLanded = ({ kind, answer }: AnsweredIntent): boolean =>
  kind === 'write' && (answer === undefined || answer === 'lost' || answer === 'accepted')

/** A failure that may pass lets the request rest; the directory's own lets the whole queue wait. */
function restFrom(
  parts: WritebackParts,
  work: Work,
  error: unknown,
): Step | { readonly kind: 'away'; readonly ms: number } {
  if (!isRetryable(error)) throw error
  if (error.code.startsWith('ERR_DIRECTORY_')) {
    parts.conditions.raise('directory_unreachable', work.document.directory, error.message)
    work.log.debug('the directory is away', errorFields(error))
    return { kind: 'away', ms: work.served.backoff.next() }
  }
  return { kind: 'wait', ms: STORE_AWAY_MS }
}
