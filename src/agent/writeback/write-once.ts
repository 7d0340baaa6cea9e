// From a settled state to one write: one read, every rule, one modify, and what its answer means.
import { WritebackError } from '../../errors/writeback-error.ts'
import type { Account } from '../decisions/account.ts'
import { noticesFor } from '../decisions/judge-account.ts'
import { isMarkerHidden } from '../decisions/judge-marker.ts'
import type { PolicyReading, WriterSession } from '../directory/directory.ts'
import { endHidden } from './end-hidden.ts'
import { findWriteObstacle } from './find-obstacle.ts'
import { guardChange } from './guard-change.ts'
import { guardLateWrite } from './guard-late-write.ts'
import { guardUnmarked } from './guard-unmarked.ts'
import { judgeAccount } from './judge-account.ts'
import { lacksMarkerRight, rightWish } from './marker-right.ts'
import { notePolicy } from './note-policy.ts'
import { readRefusal } from './read-refusal.ts'
import { sendWrite } from './send-write.ts'
import { AGAIN, atServer, end, GIVE_UP, type Step, wait } from './step.ts'
import { type PasswordWork, type Written, writePassword } from './write-password.ts'
import type { Work, WritebackParts } from './writeback-parts.ts'

const UNAVAILABLE_LOOK_MS = 1_000

/** Reads the account once, decides, writes at most once. `isPromised`: the store accepted the receipt for this server. */
export async function writeOnce(
  parts: WritebackParts,
  work: Work,
  session: WriterSession,
  isPromised: boolean | Promise<boolean>,
): Promise<Step> {
  const { subject, operation, directory } = work.document
  const [account, mayWrite] = await Promise.all([
    session.readAccount(subject, operation, rightWish(parts, work)),
    isPromised,
  ])
  if (!mayWrite) return GIVE_UP
  const here = { server: session.server }
  if (account === undefined) return end({ outcome: 'refused', reason: 'account_not_found' }, here)
  if (account === 'ambiguous') return end({ outcome: 'refused', reason: 'account_ambiguous' }, here)
  const verdict = judgeAccount(parts, work, session, account)
  if (verdict) return verdict
  const isUnmarked = lacksMarkerRight(parts, directory, account)
  const held =
    (isUnmarked ? guardUnmarked(parts, work, session, account) : undefined) ??
    guardLateWrite(parts, work, session)
  if (held) return held
  const policy = await readPolicy(parts, work, session, account)
  const obstacle =
    guardChange(parts, work, session, account, policy) ??
    findWriteObstacle(parts, work, session) ??
    parts.limits.find(directory, subject.anchor)
  if (obstacle) return atServer(obstacle, { ...here, marker: account.marker })
  if (!isUnmarked && isMarkerHidden(account, session.server, work.tried))
    return endHidden(parts, work, session, 'nothing written')
  return readAnswer(parts, work, session, account, await tryWrite(parts, work, session, account, policy))
}

const NO_POLICY: PolicyReading = { kind: 'unreadable', name: '', problem: '' }

// A minute old will do for a reset, which only the directory can refuse for good. The lockout threshold of a change is
// read right before it: a stale one could lock the account.
async function readPolicy(
  parts: WritebackParts,
  { document }: Work,
  session: WriterSession,
  account: Account,
): Promise<PolicyReading> {
  if (document.operation === 'unlock') return NO_POLICY
  const policy = await session.readPolicy(account, { isFresh: document.operation === 'change' })
  notePolicy(parts, document.directory, account, policy)
  return policy
}

async function tryWrite(
  parts: WritebackParts,
  work: Work,
  session: WriterSession,
  account: Account,
  policy: PolicyReading,
): Promise<Written | WritebackError> {
  try {
    if (isPasswordWork(work)) return await writePassword(parts, work, session, account, policy)
    const sent = await sendWrite(parts, work, session, account, { kind: 'unlock' })
    return { kind: 'sent', broken: undefined, ...sent }
  } catch (error) {
    const isBadValue =
      error instanceof WritebackError &&
      (error.code === 'ERR_SEALED_INVALID' || error.code === 'ERR_PASSWORD_UNREPRESENTABLE')
    if (isBadValue) return error
    throw error
  }
}

const isPasswordWork = (work: Work): work is PasswordWork => work.document.operation !== 'unlock'

async function readAnswer(
  parts: WritebackParts,
  work: Work,
  session: WriterSession,
  account: Account,
  written: Written | WritebackError,
): Promise<Step> {
  const here = { server: session.server, marker: account.marker }
  if (written instanceof WritebackError)
    return end({ outcome: 'failed', reason: 'request_invalid' }, { ...here, detail: written.message })
  if (written.kind === 'unsent') {
    const { reason, rule, policy } = written.broken
    return end({ outcome: 'refused', reason }, { ...here, rule, policy })
  }
  const { answer, markerAfter, withheld, broken } = written
  if (answer.kind === 'accepted') {
    const after = await readAgain(work, session, account)
    const notices = noticesFor(after, work.document, session.history)
    return end({ outcome: 'applied' }, { server: session.server, marker: markerAfter, notices })
  }
  if (answer.kind === 'refused') return readRefusal(parts, work, session, account, answer.refusal, broken)
  work.log.warn(answer.kind === 'lost' ? 'the answer to a write was lost' : 'a write could not be sent', {
    server: session.server,
  })
  return withheld || answer.kind === 'lost' ? AGAIN : wait(UNAVAILABLE_LOOK_MS)
}

/**
 * After an unlock the account is looked at again: new wrong passwords may have locked it since. That the lockout was
 * cleared is proven without it, so a failure of this read changes nothing.
 */
async function readAgain(
  { document, log }: Work,
  session: WriterSession,
  account: Account,
): Promise<Account> {
  if (document.operation !== 'unlock') return account
  const unlocked = { ...account, locked: false }
  try {
    const after = await session.readAccount(document.subject, 'unlock')
    return after === undefined || after === 'ambiguous' ? unlocked : after
  } catch {
    log.info('the account could not be looked at again after its unlock', { server: session.server })
    return unlocked
  }
}
