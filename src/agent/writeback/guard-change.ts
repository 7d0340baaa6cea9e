// What must hold before a current password is tried at the directory: no wrong one may bring an account near its lockout.
import { findAgeViolation } from '../../policy/find-violation.ts'
import type { Rule } from '../../policy/rule.ts'
import type { EffectivePolicy } from '../../protocol/account-state.ts'
import type { RefusalReason } from '../../protocol/codes.ts'
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
  const refusal = findTryRefusal(parts, work, session, account, reading.policy)
  if (!refusal) return undefined
  const { reason, ...why } = refusal
  return end({ outcome: 'refused', reason }, { ...here, ...why, policy: reading.policy })
}

/** Why a current password must not be tried now, with what is worth saying beside it. */
export interface TryRefusal {
  readonly reason: RefusalReason
  readonly detail?: string
  readonly rule?: Rule
}

/** What stands against trying the current password of an account; undefined: nothing. An inspection tells the same. */
export function findTryRefusal(
  parts: WritebackParts,
  work: Work<RequestDocument>,
  session: WriterSession,
  account: Account,
  policy: EffectivePolicy,
): TryRefusal | undefined {
  const nowMs = session.directoryNowMs()
  if (isLockoutNear(account, policy, nowMs))
    return { reason: 'too_many_attempts', detail: 'one more wrong password could lock the account' }
  if (hasTriedEnough(parts, work))
    return {
      reason: 'too_many_attempts',
      detail: `${MOST_WRONG_PASSWORDS} wrong current passwords within the hour`,
    }
  return findAgeViolation(policy, account.passwordSetAtMs, nowMs + CLOCK_UNCERTAINTY_MS)
}

/** True when this agent let as many wrong current passwords of the account through within the hour as it may. */
export const hasTriedEnough = (
  { journal, storeTime }: WritebackParts,
  { document }: Work<RequestDocument>,
): boolean =>
  journal.countWrongPasswords(
    document.directory,
    document.subject.anchor,
    Math.round(storeTime.nowMs()) - WRONG_PASSWORDS_WINDOW_MS,
  ) >= MOST_WRONG_PASSWORDS
