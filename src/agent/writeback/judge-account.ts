// What the one read of the account means for the request: done already, overtaken, refused, or free to be written.
import type { Account } from '../decisions/account.ts'
import { findRefusal, noticesFor } from '../decisions/judge-account.ts'
import { isPreviousVisible } from '../decisions/judge-doubt.ts'
import { isOvertaken, readPosition } from '../decisions/judge-marker.ts'
import type { WriterSession } from '../directory/directory.ts'
import { endExcluded } from './end-excluded.ts'
import { directoryAheadMs } from './find-obstacle.ts'
import { markedRequest } from './marked-request.ts'
import { end, GIVE_UP, type Step, wait } from './step.ts'
import type { Work, WritebackParts } from './writeback-parts.ts'

const REPLICATION_LOOK_MS = 1_000

/** The marker first, because it may say that the work is done; then on-premises rules; then what others changed. */
export function judgeAccount(
  parts: WritebackParts,
  work: Work,
  session: WriterSession,
  account: Account,
): Step | undefined {
  const here = { server: session.server, marker: account.marker }
  const marked = judgeMarker(parts, work, session, account)
  if (marked) return marked
  const { document, open } = work
  const refusal = findRefusal(account, document, session.rules)
  if (refusal === 'groups_unreadable') return endExcluded(parts, work, session, refusal)
  if (refusal) return end({ outcome: 'refused', reason: refusal }, here)
  if (document.operation === 'reset' && session.history === 'not_enforceable')
    return end({ outcome: 'refused', reason: 'history_not_enforceable' }, here)
  if (!isPreviousVisible(open.last, session.server, account.marker)) return wait(REPLICATION_LOOK_MS)
  // An unlock undoes nobody's password.
  if (document.operation === 'unlock') return undefined
  return isOvertaken(account, markedRequest(work), directoryAheadMs(parts, session))
    ? end({ outcome: 'superseded' }, here)
    : undefined
}

function judgeMarker(
  parts: WritebackParts,
  work: Work,
  session: WriterSession,
  account: Account,
): Step | undefined {
  const here = { server: session.server, marker: account.marker }
  const position = readPosition(account, markedRequest(work), parts.storeTime.nowMs())
  if (position.kind === 'applied')
    return end(
      { outcome: 'applied' },
      { ...here, notices: noticesFor(account, work.document, session.history) },
    )
  if (position.kind === 'lease_lost') return GIVE_UP
  if (position.kind === 'superseded') return end({ outcome: 'superseded' }, here)
  if (position.kind !== 'implausible') return undefined
  parts.conditions.raise(
    'marker_implausible',
    `${work.document.directory}/${account.objectGuid}`,
    `account ${account.objectGuid} holds a marker that this system did not write`,
  )
  return end({ outcome: 'failed', reason: 'marker_implausible' }, { server: session.server })
}
