// Settles what may already have happened: reads the marker, and when that is not enough, fences. Never repeats a write,
// never binds as the user.
import type { Account } from '../decisions/account.ts'
import { noticesFor } from '../decisions/judge-account.ts'
import { canSettleOn, isProvenUnapplied, isSettledBy, mayBeOverwritten } from '../decisions/judge-doubt.ts'
import { isMarkerHidden, readPosition } from '../decisions/judge-marker.ts'
import { findExclusion } from '../decisions/judge-protection.ts'
import { isWithoutEffect, type WriteAnswer } from '../decisions/write-answer.ts'
import type { Fence, WriterSession } from '../directory/directory.ts'
import { beginAttempt } from './attempt.ts'
import { endHidden } from './end-hidden.ts'
import { findAuditObstacle, findLeaseObstacle } from './find-obstacle.ts'
import { markedRequest } from './marked-request.ts'
import { lacksMarkerRight, rightWish } from './marker-right.ts'
import { findRefusedFence } from './read-fence-answer.ts'
import { mayBeUnmarked, settleUnmarked } from './settle-unmarked.ts'
import { AGAIN, end, GIVE_UP, type Step, wait } from './step.ts'
import type { Work, WritebackParts } from './writeback-parts.ts'

const OTHER_SERVER_LOOK_MS = 1_000
const OVERWRITTEN =
  'somebody else wrote the marker attribute meanwhile, so nothing tells whether a lost write landed'
const LIMIT_LOOK_MS = 5_000
const UNKEPT_LOOK_MS = 1_000

/**
 * Returns the step to take, or undefined when nothing that was sent before can land any more and the request may go on
 * as if it were new.
 */
export async function settleDoubt(
  parts: WritebackParts,
  work: Work,
  session: WriterSession,
): Promise<Step | undefined> {
  const { subject, operation, directory } = work.document
  const reading = await session.readAccount(subject, operation, rightWish(parts, work))
  const account = reading === 'ambiguous' ? undefined : reading
  const canSettle = canSettleOn(session.server, work.doubt, parts.goneServers())
  if (!account && canSettle)
    return end({ outcome: 'unknown' }, { server: session.server, detail: 'the account is gone' })
  const position = account && readPosition(account, markedRequest(work), parts.storeTime.nowMs())
  // An effect that has arrived is proof on any server. All else only the server that may hold the write can tell.
  const isProof = position?.kind === 'applied' || position?.kind === 'lease_lost'
  if (!account || !position || !(canSettle || isProof)) return wait(OTHER_SERVER_LOOK_MS)
  const lacksRight = lacksMarkerRight(parts, directory, account)
  if (mayBeUnmarked(work, lacksRight) && ['free', 'fenced', 'superseded'].includes(position.kind)) {
    const step = settleUnmarked(parts, work, session, account)
    // An earlier holder may as well have sent a marker, which a fence excludes for good.
    const isOver = lacksRight || work.doubt.earlier.length === 0 || position.kind === 'superseded'
    if (step || isOver) return step
  }
  switch (position.kind) {
    case 'applied':
      work.log.info('the lost answer is settled: the write was applied', { server: session.server })
      return end(
        { outcome: 'applied' },
        {
          server: session.server,
          marker: account.marker,
          notices: noticesFor(account, work.document, session.history),
        },
      )
    case 'lease_lost':
      return GIVE_UP
    case 'superseded': {
      // The newer write hides whether ours came before it, unless the count of password writes tells.
      const outcome = isProvenUnapplied(account, work.doubt, operation) ? 'superseded' : 'unknown'
      return end({ outcome }, { server: session.server, marker: account.marker })
    }
    case 'implausible':
      return end(
        { outcome: 'unknown' },
        { server: session.server, detail: 'the marker attribute holds a value of somebody else' },
      )
    case 'fenced':
      return isSettledBy(position.marker, work.open.lease, work.doubt)
        ? undefined
        : fence(parts, work, session, account)
    case 'free':
      return mayBeOverwritten(account.marker, parts.store, work.doubt) &&
        !isProvenUnapplied(account, work.doubt, operation)
        ? end({ outcome: 'unknown' }, { server: session.server, detail: OVERWRITTEN })
        : fence(parts, work, session, account)
  }
}

async function fence(
  parts: WritebackParts,
  work: Work,
  session: WriterSession,
  account: Account,
): Promise<Step | undefined> {
  const exclusion = findExclusion(account, session.rules)
  // Not even a marker is written to an account that must not be written: what was sent before stays in doubt.
  if (exclusion) {
    const detail = 'the account may not be written any more, so a lost answer cannot be settled'
    return end({ outcome: 'unknown' }, { server: session.server, detail })
  }
  const resting = findLeaseObstacle(parts, work) ?? findAuditObstacle(parts)
  if (resting) return resting
  if (isMarkerHidden(account, session.server, work.tried)) return endHidden(parts, work, session, 'unknown')
  const { directory, subject } = work.document
  // After a write of our own, which was counted, there is one fence. What others may have sent is only the store's word:
  // a fence for that counts as a write, or a store in the wrong hands could have any account written for ever.
  const isCounted = work.doubt.unanswered.length === 0
  if (isCounted && (parts.limits.isStopped(directory) || parts.limits.find(directory, subject.anchor)))
    return wait(LIMIT_LOOK_MS)
  const takeOff = isCounted ? parts.limits.note(directory, subject.anchor) : undefined
  const { markerAfter, isKept, close } = beginAttempt(parts, work, session, account, 'fence')
  const marker: Fence = {
    objectGuid: account.objectGuid,
    account,
    markerBefore: account.marker,
    markerAfter,
    mayStart: () => findLeaseObstacle(parts, work) === undefined,
  }
  const kept = await isKept()
  const answer: WriteAnswer = kept ? await session.fence(marker) : { kind: 'not_sent', cause: undefined }
  close(answer)
  if (isWithoutEffect(answer)) takeOff?.()
  work.log.info('fenced the account after a lost answer', { server: session.server, answer: answer.kind })
  if (answer.kind === 'accepted') return undefined
  // Another round at once would find the same disk.
  if (!kept) return wait(UNKEPT_LOOK_MS)
  if (answer.kind !== 'refused') return AGAIN
  if (answer.refusal.kind === 'missing_right')
    return endUnfenced(parts, work, session, answer.refusal.diagnostic)
  return findRefusedFence(answer.refusal, session.server)
}

/** The right to fence is missing: what is left is the password's version, where the configuration allows that. */
async function endUnfenced(
  parts: WritebackParts,
  work: Work,
  session: WriterSession,
  diagnostic: string,
): Promise<Step> {
  const { subject, operation, directory } = work.document
  const account = await session.readAccount(subject, operation, { markerRight: true })
  const lacksMarker =
    account !== undefined && account !== 'ambiguous' && lacksMarkerRight(parts, directory, account)
  if (lacksMarker && work.served.withoutMarker === 'version') return AGAIN
  if (!lacksMarker) parts.conditions.raise('missing_right', directory, diagnostic)
  return end({ outcome: 'unknown' }, { server: session.server, detail: diagnostic })
}
