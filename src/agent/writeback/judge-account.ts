// What the one read of the account means for the request: done already, overtaken, refused, or free to be written.
import type { Account } from '../decisions/account.ts'
import { findStateRefusal, noticesFor } from '../decisions/judge-account.ts'
import { isPreviousVisible } from '../decisions/judge-doubt.ts'
import { isOvertaken, readPosition } from '../decisions/judge-marker.ts'
import { findExclusion } from '../decisions/judge-protection.ts'
import type { WriterSession } from '../directory/directory.ts'
import { endExcluded } from './end-excluded.ts'
import { directoryAheadAtLeastMs, findSkewObstacle } from './find-obstacle.ts'
import { markedRequest } from './marked-request.ts'
import { atServer, end, GIVE_UP, type Step, wait } from './step.ts'
import type { Work, WritebackParts } from './writeback-parts.ts'

const REPLICATION_LOOK_MS = 1_000

/**
 * A marker of this request first, because it may say that the work is done; then protection and scope, before anything
 * else is told of the account; then markers of others, its state, and what others changed.
 */
export function judgeAccount(
  parts: WritebackParts,
  work: Work,
  session: WriterSession,
  account: Account,
): Step | undefined {
  const { document, open } = work
  const here = { server: session.server, marker: account.marker }
  const position = readPosition(account, markedRequest(work), parts.storeTime.nowMs())
  if (position.kind === 'lease_lost') return GIVE_UP
  if (position.kind === 'applied') {
    const notices = noticesFor(account, document, session.history)
    return end({ outcome: 'applied' }, { ...here, notices })
  }
  const exclusion = findExclusion(account, session.rules)
  if (exclusion) return endExcluded(parts, work, session, exclusion, account)
  if (position.kind === 'superseded') return end({ outcome: 'superseded' }, here)
  if (position.kind === 'implausible') return endImplausible(parts, work, session)
  const refusal = findStateRefusal(account, document)
  if (refusal) return end({ outcome: 'refused', reason: refusal }, here)
  if (document.operation === 'reset' && session.history === 'not_enforceable')
    return end({ outcome: 'refused', reason: 'history_not_enforceable' }, here)
  if (!isPreviousVisible(open.last, session.server, account.marker, parts.goneServers()))
    return wait(REPLICATION_LOOK_MS)
  // An unlock undoes nobody's password.
  if (document.operation === 'unlock') return undefined
  // The clock may be right again by the time of the write, when what was judged by a wrong one is not judged anew.
  const skewed = findSkewObstacle(parts, work, session)
  if (skewed) return atServer(skewed, here)
  return isWrittenSince(parts, work, session, account) ? end({ outcome: 'superseded' }, here) : undefined
}

/** True when a newer request wrote the password, or somebody else did. What only the journal knows to be ours is ours. */
function isWrittenSince(
  parts: WritebackParts,
  work: Work,
  session: WriterSession,
  account: Account,
): boolean {
  const { document } = work
  const isChanged = isOvertaken(account, markedRequest(work), directoryAheadAtLeastMs(parts, session))
  if (!isChanged && account.markerRight?.held !== false) return false
  const own = parts.journal.lastPasswordWrite(document.directory, document.subject.anchor)
  if (own && own.server === session.server && own.sequence > document.sequence) return true
  const now = account.passwordVersion
  // A time in seconds does not say who wrote it.
  const isOwn =
    own?.server === session.server &&
    now !== undefined &&
    now.counts !== 'seconds' &&
    own.passwordVersion === now.version &&
    (now.origin === undefined || now.origin === own.server)
  return isChanged && !isOwn
}

function endImplausible(parts: WritebackParts, { document }: Work, session: WriterSession): Step {
  const { directory, subject } = document
  parts.conditions.raise(
    'marker_implausible',
    `${directory}/${subject.anchor}`,
    `account ${subject.anchor} holds a marker that this system did not write`,
  )
  return end({ outcome: 'failed', reason: 'marker_implausible' }, { server: session.server })
}
