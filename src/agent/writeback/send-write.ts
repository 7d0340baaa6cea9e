// Sends one write: its intent is journaled first, everything that must hold is looked at right before the first byte.
import { WritebackError } from '../../errors/writeback-error.ts'
import type { Account } from '../decisions/account.ts'
import { isWithoutEffect, type WriteAnswer } from '../decisions/write-answer.ts'
import type { Effect, Write, WriterSession } from '../directory/directory.ts'
import { beginAttempt } from './attempt.ts'
import { findWriteObstacle } from './find-obstacle.ts'
import type { Work, WritebackParts } from './writeback-parts.ts'

/** What came of the write, and the marker it carried, if any. `withheld`: an obstacle came up, which the next round meets. */
export interface Sent {
  readonly answer: WriteAnswer
  readonly markerAfter: string | undefined
  readonly withheld: boolean
}

// The next round meets the limit before it opens the password, and ends or waits.
const WITHHELD: Sent = {
  answer: { kind: 'not_sent', cause: undefined },
  markerAfter: undefined,
  withheld: true,
}

/** Records the intent, then writes. Throws ERR_PASSWORD_UNREPRESENTABLE before anything is sent, and ERR_JOURNAL_UNUSABLE. */
export async function sendWrite(
  parts: WritebackParts,
  work: Work,
  session: WriterSession,
  account: Account,
  effect: Effect,
): Promise<Sent> {
  const { directory, subject } = work.document
  // Nothing else runs between this look and the note below, so several requests at once cannot pass the limits together.
  if (parts.limits.find(directory, subject.anchor)) return WITHHELD
  // Another one may fail as well: what the count of bad passwords allowed for one would be two.
  const isOther =
    effect.kind === 'change' && parts.journal.isChangeUnderWay(directory, subject.anchor, work.document.id)
  if (isOther) return WITHHELD
  const withoutMarker = account.markerRight?.held === false
  const leave = withoutMarker ? work.served.lanes?.enter(account.objectGuid) : () => {}
  if (!leave) return WITHHELD
  try {
    return await send(parts, work, session, account, effect, withoutMarker)
  } finally {
    leave()
  }
}

async function send(
  parts: WritebackParts,
  work: Work,
  session: WriterSession,
  account: Account,
  effect: Effect,
  withoutMarker: boolean,
): Promise<Sent> {
  const { directory, subject } = work.document
  const { markerAfter, isKept, close } = beginAttempt(parts, work, session, account, 'write', withoutMarker)
  const takeOff = parts.limits.note(directory, subject.anchor)
  // Not withheld: another round at once would find the same disk.
  const kept = await isKept()
  let withheld = false
  const write: Write = {
    objectGuid: account.objectGuid,
    account,
    effect,
    markerBefore: account.marker,
    markerAfter,
    ...(withoutMarker ? { withoutMarker } : {}),
    mayStart: () => {
      withheld = findWriteObstacle(parts, work, session) !== undefined
      return !withheld
    },
  }
  const attempt = kept ? await writeOrFail(session, write) : WITHHELD.answer
  const answer = attempt instanceof WritebackError ? { kind: 'not_sent' as const, cause: attempt } : attempt
  close(answer)
  if (isWithoutEffect(answer)) takeOff()
  if (attempt instanceof WritebackError) throw attempt
  return { answer, markerAfter: withoutMarker ? undefined : markerAfter, withheld }
}

/** The answer; the error when a value of the write has no form in this directory, and so nothing was sent. */
async function writeOrFail(session: WriterSession, write: Write): Promise<WriteAnswer | WritebackError> {
  try {
    return await session.write(write)
  } catch (error) {
    const isBadValue =
      error instanceof WritebackError &&
      (error.code === 'ERR_PASSWORD_UNREPRESENTABLE' || error.code === 'ERR_DOCUMENT_INVALID')
    if (isBadValue) return error
    throw error
  }
}
