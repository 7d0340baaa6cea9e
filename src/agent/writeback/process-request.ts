// The way of one request, from the queue to its outcome. Reads as what a support engineer would say.
import { isRetryable, WritebackError } from '../../errors/writeback-error.ts'
import type { RequestDocument } from '../../protocol/request-document.ts'
import { errorFields, failureLine } from '../../telemetry/logger.ts'
import { isBeyondSettling, isExpired } from '../decisions/judge-document.ts'
import { type Doubt, isDoubtful } from '../decisions/judge-doubt.ts'
import type { WriterSession } from '../directory/directory.ts'
import type { AnsweredIntent, OpenRequest } from '../journal/journal.ts'
import { conclude } from './conclude.ts'
import { findLeaseObstacle, findObstacle } from './find-obstacle.ts'
import { type InspectWork, inspectAccount } from './inspect-account.ts'
import { readPastWrites } from './past-writes.ts'
import { settleDoubt } from './settle-doubt.ts'
import { atServer, end, GIVE_UP, type Step, wait } from './step.ts'
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
const GONE_LOOK_MS = 5_000
const REFUSED_READ_MS = 5_000
const SUSPECT_LOOK_MS = 50

/** Carries one request as far as it goes now. Throws only for defects; the queue then tries again later. */
export async function processRequest(
  parts: WritebackParts,
  requestId: string,
  signal: AbortSignal,
): Promise<Processed> {
  const open = parts.journal.find(requestId)
  if (!open || open.crashStarts === 0) return start(parts, requestId, open, signal)
  if (!parts.suspects.enter(open)) return { laterMs: SUSPECT_LOOK_MS }
  try {
    return await start(parts, requestId, open, signal)
  } finally {
    parts.suspects.leave(open)
  }
}

async function start(
  parts: WritebackParts,
  requestId: string,
  found: OpenRequest | undefined,
  signal: AbortSignal,
): Promise<Processed> {
  const starts = parts.journal.started(requestId)
  const step = await carryOut(parts, requestId, { found, starts }, signal)
  if (step.kind === 'end') return 'done'
  parts.journal.rested(requestId)
  return step.kind === 'give_up' ? 'done' : step
}

type Carried =
  | { readonly kind: 'end' }
  | { readonly kind: 'give_up' }
  | { readonly kind: 'rest'; readonly laterMs: number }
  | { readonly kind: 'rest'; readonly retryAfterMs: number }

interface Away {
  readonly kind: 'away'
  readonly ms: number
}

/** `found`: the request as it is right before the first round. */
async function carryOut(
  parts: WritebackParts,
  requestId: string,
  { found, starts }: { readonly found: OpenRequest | undefined; readonly starts: number },
  signal: AbortSignal,
): Promise<Carried> {
  for (let round = 0; round < MOST_ROUNDS && !signal.aborted; round += 1) {
    const open = round === 0 ? found : parts.journal.find(requestId)
    if (!open) return { kind: 'end' }
    const step = await nextStep(parts, open, starts)
    if (step.kind === 'end') {
      const { lease, directory } = open
      await conclude(parts, { requestId, lease, directory }, step.ending, step.circumstances)
      return { kind: 'end' }
    }
    if (step.kind === 'give_up') {
      const { lease } = open
      parts.log.warn('the lease is lost; the request is left to another agent', { requestId })
      // A newer lease may have come meanwhile; it is not this one's to give up.
      parts.journal.release(requestId, lease, parts.clock.wallMs())
      parts.leases.drop({ request: requestId, lease })
      if (parts.journal.find(requestId)) continue
      return { kind: 'give_up' }
    }
    if (step.kind === 'wait') return { kind: 'rest', laterMs: step.ms }
    if (step.kind === 'away') return { kind: 'rest', retryAfterMs: step.ms }
  }
  return { kind: 'rest', laterMs: CROWDED_LOOK_MS }
}

async function nextStep(parts: WritebackParts, open: OpenRequest, starts: number): Promise<Step | Away> {
  const tried = parts.journal.intents(open.requestId)
  const { landed, unanswered } = readPastWrites(tried)
  if (landed) return endLanded(landed)
  const doubt = { unanswered, earlier: open.earlier }
  try {
    const work = await loadWork(parts, open, doubt, tried)
    const step = isInspection(work) ? inspect(parts, work, starts) : takeStep(parts, work as Work, starts)
    return await step.catch((error: unknown) => restFrom(parts, work, error))
  } catch (error) {
    if (!isUnreadable(error)) throw error
    // Verified when it was accepted, so its key has left the store's set since.
    return isDoubtful(doubt)
      ? end({ outcome: 'unknown' }, { detail: error.message })
      : end({ outcome: 'failed', reason: 'request_invalid' }, { detail: error.message })
  }
}

/** The directory confirmed the write, and the process ended before the outcome was kept. */
const endLanded = ({ server, markerAfter, notices, withoutMarker }: AnsweredIntent): Step =>
  end({ outcome: 'applied' }, { server, marker: withoutMarker ? undefined : markerAfter, notices })

const isInspection = (work: Work<RequestDocument>): work is InspectWork =>
  work.document.operation === 'inspect'

/** Reads only: needs no receipt, waits for no pause, and can always be done again. */
async function inspect(parts: WritebackParts, work: InspectWork, starts: number): Promise<Step> {
  if (starts > MOST_STARTS) return endDeadly()
  const dropped = findDrop(parts, work)
  if (dropped) return dropped
  if (isExpired(work.document, parts.storeTime.nowMs())) return end({ outcome: 'expired' })
  const session = await work.served.directory.writer()
  const step = await inspectAccount(parts, work, session)
  noteReachable(parts, work)
  return step
}

/** Settle first what may have happened; then refuse what must not be written; then write once. */
async function takeStep(parts: WritebackParts, work: Work, starts: number): Promise<Step> {
  const { open, document, doubt, served } = work
  if (parts.leases.isLost({ request: open.requestId, lease: open.lease })) return GIVE_UP
  const isInDoubt = isDoubtful(doubt)
  // Before the store told its time nothing is given up for good by this host's own clock.
  const isTimeKnown = parts.storeTime.offsetMs() !== undefined
  if (isInDoubt && isTimeKnown && isBeyondSettling(document, parts.storeTime.earliestMs()))
    return end({ outcome: 'unknown' })
  if (!isInDoubt) {
    const stop = findStop(parts, work, starts)
    if (stop) return stop
  }
  const session = await served.directory.writer()
  if (isDeclaredGone(parts, work, session)) return wait(GONE_LOOK_MS)
  if (isInDoubt) {
    const settled = await settleDoubt(parts, work, session)
    if (settled) return settled
    const stop = findStop(parts, work, starts)
    // The fence is what the next request of this account must find.
    if (stop) return atServer(stop, { server: session.server, marker: lastFence(parts, open) })
  }
  const resting = findLeaseObstacle(parts, work)
  if (resting) return resting
  // Given while the account is read; both are there before anything is decided.
  const isPromised = open.receiptServer === session.server || parts.confirmReceipt(open, session.server)
  const step = await writeOnce(parts, work, session, isPromised)
  noteReachable(parts, work)
  if (step.kind === 'end' && step.ending.outcome === 'applied') {
    parts.conditions.clear('missing_right', document.directory)
    parts.conditions.clear('marker_implausible', `${document.directory}/${document.subject.anchor}`)
  }
  return step
}

/** A server that is said to be gone and yet answers must not be written: what is written there may never leave it. */
function isDeclaredGone(
  { conditions, goneServers }: WritebackParts,
  { document }: Work,
  session: WriterSession,
) {
  const isGone = goneServers().has(session.server)
  const detail = `${session.url} answers, though ${session.server} was declared gone at the reset store`
  if (isGone) conditions.raise('server_declared_gone', document.directory, detail)
  else conditions.clear('server_declared_gone', document.directory)
  return isGone
}

const lastFence = ({ journal }: WritebackParts, { requestId }: OpenRequest): string | undefined =>
  journal.intents(requestId).findLast(({ kind, answer }) => kind === 'fence' && answer === 'accepted')
    ?.markerAfter

/** What ends or holds a request of which nothing is in doubt (any more). */
function findStop(parts: WritebackParts, work: Work, starts: number): Step | undefined {
  if (starts > MOST_STARTS) return endDeadly()
  return findDrop(parts, work) ?? findObstacle(parts, work)
}

/** An operator's wish ends a request under its lease only: without it another agent may have written already. */
function findDrop(parts: WritebackParts, work: Work<RequestDocument>): Step | undefined {
  const dropped = parts.drops.find(work.open.requestId)
  return dropped && (findLeaseObstacle(parts, work) ?? dropped)
}

const endDeadly = (): Step =>
  end(
    { outcome: 'failed', reason: 'internal' },
    {
      detail:
        'the request could not be carried out, or ended the agent, several times and is not tried again',
    },
  )

function noteReachable({ conditions }: WritebackParts, { served, document }: Work<RequestDocument>): void {
  served.backoff.reset()
  conditions.clear('directory_unreachable', document.directory)
}

async function loadWork(
  parts: WritebackParts,
  open: OpenRequest,
  doubt: Doubt,
  tried: readonly AnsweredIntent[],
): Promise<Work<RequestDocument>> {
  const { requestId, directory } = open
  const document = await parts.readDocument(open)
  const served = parts.directories.get(directory)
  if (!served)
    throw new WritebackError(
      'ERR_INTERNAL',
      `request ${requestId} was accepted though this agent cannot carry it out`,
    )
  const log = parts.log.child({ component: 'writeback', requestId, directory })
  return { open, document, served, doubt, tried, log }
}

const isUnreadable = (error: unknown): error is WritebackError =>
  error instanceof WritebackError &&
  ['ERR_SIGNATURE_INVALID', 'ERR_DOCUMENT_INVALID', 'ERR_JSON_INVALID'].includes(error.code)

/** A failure that may pass lets the request rest; the directory's own lets the whole queue wait. */
function restFrom(parts: WritebackParts, work: Work<RequestDocument>, error: unknown): Step | Away {
  // A store that refuses this agent may take it back; the request waits until then, or expires.
  if (error instanceof WritebackError && error.code.startsWith('ERR_STORE_')) return wait(STORE_AWAY_MS)
  if (!isRetryable(error)) throw error
  if (!error.code.startsWith('ERR_DIRECTORY_')) return wait(STORE_AWAY_MS)
  // The server is there, and says no to this read: the others need not wait.
  if (error.code === 'ERR_DIRECTORY_REFUSED') return wait(REFUSED_READ_MS)
  parts.conditions.raise('directory_unreachable', work.document.directory, failureLine(error))
  work.log.debug('the directory is away', errorFields(error))
  return { kind: 'away', ms: work.served.backoff.next() }
}
