// Settles a lost answer where no marker can tell: waits until the old connection is surely dead, then reads on the same
// server. A write is never repeated without proof that the one before did not land.
import type { Account } from '../decisions/account.ts'
import { noticesFor } from '../decisions/judge-account.ts'
import { judgeUnmarked } from '../decisions/judge-unmarked.ts'
import type { WriterSession } from '../directory/directory.ts'
import { directoryAheadAtLeastMs, findLeaseObstacle } from './find-obstacle.ts'
import { end, type Step, wait } from './step.ts'
import type { Work, WritebackParts } from './writeback-parts.ts'

const LONGEST_LOOK_MS = 5_000

/**
 * True when no fence can exclude what is in doubt: it may have gone without a marker, or none can be written now. What an
 * earlier holder could write is not known: the right may have been granted since.
 */
export const mayBeUnmarked = ({ tried, served, doubt }: Work, lacksRight: boolean): boolean =>
  tried.some(
    ({ withoutMarker, answer }) => withoutMarker === true && (answer === undefined || answer === 'lost'),
  ) ||
  (served.withoutMarker === 'version' && (lacksRight || doubt.earlier.length > 0))

/** The step to take, or undefined when nothing that was sent can land any more and nothing did. */
export function settleUnmarked(
  parts: WritebackParts,
  work: Work,
  session: WriterSession,
  account: Account,
): Step | undefined {
  const resting = findLeaseObstacle(parts, work) ?? findQuarantine(work, keyOf(work))
  if (resting) return resting
  const { document, doubt } = work
  const issuedAtMs = document.issuedAt + directoryAheadAtLeastMs(parts, session)
  const here = { server: session.server, marker: account.marker }
  switch (judgeUnmarked(account, doubt, { operation: document.operation, issuedAtMs })) {
    case 'unapplied':
      work.log.info('the lost answer is settled: nothing was written', { server: session.server })
      return undefined
    case 'unlocked':
      return end({ outcome: 'applied' }, { ...here, notices: noticesFor(account, document, session.history) })
    case 'undecided':
      return end({ outcome: 'unknown' }, { ...here, detail: UNDECIDED })
  }
}

const UNDECIDED =
  'the answer was lost, and without the marker nobody can tell whether this request changed the account or somebody else did'

/** The wait until a quarantine is over; undefined: it is. Without lanes it never is. */
export function findQuarantine({ served }: Work, key: string): Step | undefined {
  const restMs = served.lanes?.remainingMs(key) ?? LONGEST_LOOK_MS
  return restMs > 0 ? wait(Math.min(restMs, LONGEST_LOOK_MS)) : undefined
}

// A further write in doubt has a quarantine of its own. The store tells the same earlier holder once however often it held
// the request, so the lease counts as well.
const keyOf = ({ open, doubt }: Work): string =>
  `${open.requestId} ${open.lease} ${doubt.unanswered.at(-1)?.n ?? 0} ${doubt.earlier.length}`
