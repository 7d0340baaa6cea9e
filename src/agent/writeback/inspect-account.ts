// Reads an account for the store: whether writeback is possible, and what the user must know. Writes nothing.
import type { AccountState } from '../../protocol/account-state.ts'
import type { RefusalReason } from '../../protocol/codes.ts'
import type { RequestDocument } from '../../protocol/request-document.ts'
import type { Account } from '../decisions/account.ts'
import { findStateRefusal } from '../decisions/judge-account.ts'
import { findExclusion } from '../decisions/judge-protection.ts'
import type { PolicyReading, WriterSession } from '../directory/directory.ts'
import { endExcluded } from './end-excluded.ts'
import { findTryRefusal, hasTriedEnough } from './guard-change.ts'
import { notePolicy } from './note-policy.ts'
import { end, type Step } from './step.ts'
import type { Work, WritebackParts } from './writeback-parts.ts'

/** A request that only reads. */
export type InspectWork = Work<Extract<RequestDocument, { operation: 'inspect' }>>

/** Of a protected account, or one out of scope, nothing is told but that. Throws what the directory's reads throw. */
export async function inspectAccount(
  parts: WritebackParts,
  work: InspectWork,
  session: WriterSession,
): Promise<Step> {
  const { document } = work
  const here = { server: session.server }
  const account = await session.readAccount(document.subject, 'inspect')
  if (account === undefined) return end({ outcome: 'refused', reason: 'account_not_found' }, here)
  if (account === 'ambiguous') return end({ outcome: 'refused', reason: 'account_ambiguous' }, here)
  const exclusion = findExclusion(account, session.rules)
  if (exclusion) return endExcluded(parts, work, session, exclusion, account)
  const policy = await session.readPolicy(account)
  notePolicy(parts, document.directory, account, policy)
  const state = stateOf(parts, work, session, account, policy)
  return end({ outcome: 'applied' }, { ...here, account: state })
}

function stateOf(
  parts: WritebackParts,
  work: InspectWork,
  session: WriterSession,
  account: Account,
  policy: PolicyReading,
): AccountState {
  return {
    objectGuid: account.objectGuid,
    refusals: refusalsOf(parts, work, session, account, policy),
    locked: account.locked,
    disabled: account.disabled,
    smartcardRequired: account.smartcardRequired,
    mustChange: account.mustChange,
    passwordNeverExpires: account.passwordNeverExpires,
    passwordChangedAt: account.passwordSetAtMs ?? null,
    passwordExpiresAt: account.passwordExpiresAtMs ?? null,
    accountExpiresAt: account.expiresAtMs ?? null,
    policy: policy.kind === 'read' ? policy.policy : null,
    policyProblem: policy.kind === 'read' ? null : policy.problem.slice(0, 500),
  }
}

/** What each operation would be refused with now, for the same actor. A password itself may still be refused. */
function refusalsOf(
  parts: WritebackParts,
  work: InspectWork,
  session: WriterSession,
  account: Account,
  policy: PolicyReading,
) {
  const { actor, issuedAt } = work.document
  const refusal = (operation: 'reset' | 'change' | 'unlock') =>
    findStateRefusal(account, { operation, actor, issuedAt }) ?? null
  const history = session.history === 'not_enforceable' ? 'history_not_enforceable' : null
  return {
    reset: refusal('reset') ?? history,
    change: refusal('change') ?? changeRefusal(parts, work, session, account, policy),
    unlock: refusal('unlock'),
  }
}

// Where the policy cannot be read, the state says so itself; what the agent counted stands without it.
function changeRefusal(
  parts: WritebackParts,
  work: InspectWork,
  session: WriterSession,
  account: Account,
  reading: PolicyReading,
): RefusalReason | null {
  if (reading.kind === 'unreadable') return hasTriedEnough(parts, work) ? 'too_many_attempts' : null
  return findTryRefusal(parts, work, session, account, reading.policy)?.reason ?? null
}
