// From a settled state to one write: one read, every rule, one modify, and what its answer means.
import { WritebackError } from '../../errors/writeback-error.ts'
import type { Account } from '../decisions/account.ts'
import { findRefusal, noticesFor } from '../decisions/judge-account.ts'
import { isPreviousVisible } from '../decisions/judge-doubt.ts'
import { isMarkerHidden, isOvertaken, readPosition } from '../decisions/judge-marker.ts'
import { meaningOf } from '../decisions/read-refusal.ts'
import type { DirectoryRefusal } from '../decisions/write-answer.ts'
import type { WriterSession } from '../directory/directory.ts'
import { endHidden } from './end-hidden.ts'
import { directoryAheadMs, findWriteObstacle } from './find-obstacle.ts'
import { markedRequest } from './marked-request.ts'
import { AGAIN, end, GIVE_UP, type Step, wait } from './step.ts'
import { type Written, writePassword } from './write-password.ts'
import type { Work, WritebackParts } from './writeback-parts.ts'

const REPLICATION_LOOK_MS = 1_000
const UNAVAILABLE_LOOK_MS = 1_000

/** Reads the account once, decides, writes at most once. `isPromised`: the store accepted the receipt for this server. */
export async function writeOnce(
  parts: WritebackParts,
  work: Work,
  session: WriterSession,
  isPromised: boolean | Promise<boolean>,
): Promise<Step> {
  const [account, mayWrite] = await Promise.all([
    session.readAccount(work.document.subject, work.document.operation),
    isPromised,
  ])
  if (!mayWrite) return GIVE_UP
  if (!account) return end({ outcome: 'refused', reason: 'account_not_found' }, { server: session.server })
  if (account === 'ambiguous')
    return end({ outcome: 'refused', reason: 'account_ambiguous' }, { server: session.server })
  const verdict = judge(parts, work, session, account) ?? findWriteObstacle(parts, work, session)
  if (verdict) return verdict
  if (isMarkerHidden(account, session.server, work.tried))
    return endHidden(parts, work, session, 'nothing written')
  return readAnswer(parts, work, session, account, await tryWrite(parts, work, session, account))
}

/** The marker first, because it may say that the work is done; then on-premises rules; then what others changed. */
function judge(
  parts: WritebackParts,
  work: Work,
  session: WriterSession,
  account: Account,
): Step | undefined {
  const here = { server: session.server, marker: account.marker }
  const request = markedRequest(work)
  const position = readPosition(account, request, parts.storeTime.nowMs())
  if (position.kind === 'applied')
    return end(
      { outcome: 'applied' },
      { ...here, notices: noticesFor(account, work.document, session.history) },
    )
  if (position.kind === 'lease_lost') return GIVE_UP
  if (position.kind === 'superseded') return end({ outcome: 'superseded' }, here)
  if (position.kind === 'implausible') {
    parts.conditions.raise(
      'marker_implausible',
      `${work.document.directory}/${account.objectGuid}`,
      `account ${account.objectGuid} holds a marker that this system did not write`,
    )
    return end({ outcome: 'failed', reason: 'marker_implausible' }, { server: session.server })
  }
  const refusal = findRefusal(account, work.document, session.rules)
  if (refusal) return end({ outcome: 'refused', reason: refusal }, here)
  if (!isPreviousVisible(work.open.last, session.server, account.marker)) return wait(REPLICATION_LOOK_MS)
  return isOvertaken(account, request, directoryAheadMs(parts, session))
    ? end({ outcome: 'superseded' }, here)
    : undefined
}

async function tryWrite(
  parts: WritebackParts,
  work: Work,
  session: WriterSession,
  account: Account,
): Promise<Written | WritebackError> {
  try {
    return await writePassword(parts, work, session, account)
  } catch (error) {
    const isBadValue =
      error instanceof WritebackError &&
      (error.code === 'ERR_SEALED_INVALID' || error.code === 'ERR_PASSWORD_UNREPRESENTABLE')
    if (isBadValue) return error
    throw error
  }
}

function readAnswer(
  parts: WritebackParts,
  work: Work,
  session: WriterSession,
  account: Account,
  written: Written | WritebackError,
): Step {
  const here = { server: session.server, marker: account.marker }
  if (written instanceof WritebackError)
    return end({ outcome: 'failed', reason: 'request_invalid' }, { ...here, detail: written.message })
  const { answer, markerAfter, withheld } = written
  if (answer.kind === 'accepted') {
    const notices = noticesFor(account, work.document, session.history)
    return end({ outcome: 'applied' }, { server: session.server, marker: markerAfter, notices })
  }
  if (answer.kind === 'refused') return readRefusal(parts, work, session, account, answer.refusal)
  work.log.warn(answer.kind === 'lost' ? 'the answer to a write was lost' : 'a write could not be sent', {
    server: session.server,
  })
  return withheld || answer.kind === 'lost' ? AGAIN : wait(UNAVAILABLE_LOOK_MS)
}

function readRefusal(
  parts: WritebackParts,
  work: Work,
  session: WriterSession,
  account: Account,
  refusal: DirectoryRefusal,
): Step {
  const { kind, code, hex, diagnostic } = refusal
  const meaning = meaningOf(kind)
  work.log.info('the directory refused the write', { kind, resultCode: code, hex, diagnostic })
  if (meaning === 'again') return AGAIN
  if (meaning === 'later') return wait(UNAVAILABLE_LOOK_MS)
  if (kind === 'missing_right') parts.conditions.raise('missing_right', work.document.directory, diagnostic)
  return end(meaning, { server: session.server, marker: account.marker, detail: diagnostic })
}
