// What must hold before a current password is tried at the directory: no wrong one may bring an account near its lockout.
import { findAgeViolation } from '../../policy/find-violation.ts'
import { CLOCK_UNCERTAINTY_MS } from '../../protocol/identifiers.ts'
import type { RequestDocument } from '../../protocol/request-document.ts'
import type { Account } from '../decisions/account.ts'
import { isLockoutNear, MOST_WRONG_PASSWORDS, WRONG_PASSWORDS_WINDOW_MS } from '../decisions/judge-lockout.ts'
import type { PolicyReading, WriterSession } from '../directory/directory.ts'
import { end, type Step } from './step.ts'
import type { Work, WritebackParts } from './writeback-parts.ts'

/** The step that ends a `change` before its write; undefined: it may be tried, or it is another operation. */
export function guardChange(
  parts: WritebackParts,
  work: Work,
  session: WriterSession,
  account: Account,
  reading: PolicyReading,
): Step | undefined {
  if (work.document.operation !== 'change') return undefined
  const here = { server: session.server, marker: account.marker }
  // Without its threshold nobody knows how many wrong passwords the account has left.
  if (reading.kind === 'unreadable')
    return end({ outcome: 'failed', reason: 'missing_right' }, { ...here, detail: reading.problem })
  const { policy } = reading
  const nowMs = session.directoryNowMs()
  if (isLockoutNear(account, policy, nowMs))
    return end(
      { outcome: 'refused', reason: 'too_many_attempts' },
      { ...here, policy, detail: 'one more wrong password could lock the account' },
    )
  if (countWrong(parts, work) >= MOST_WRONG_PASSWORDS)
    return end(
      { outcome: 'refused', reason: 'too_many_attempts' },
      { ...here, policy, detail: `${MOST_WRONG_PASSWORDS} wrong current passwords within the hour` },
    )
  const young = findAgeViolation(policy, account.passwordSetAtMs, nowMs + CLOCK_UNCERTAINTY_MS)
  if (!young) return undefined
  const { reason, rule } = young
  return end({ outcome: 'refused', reason }, { ...here, rule, policy })
}

/** How many wrong current passwords of the account this agent let through within the hour. */
export const countWrong = (
  { journal, storeTime }: WritebackParts,
  { document }: Work<RequestDocument>,
): number =>
  journal.countWrongPasswords(
    document.directory,
    document.subject.anchor,
    Math.round(storeTime.nowMs()) - WRONG_PASSWORDS_WINDOW_MS,
  )
