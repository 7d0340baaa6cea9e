// Reads an account for the store: whether writeback is possible, and what the user must know. Writes nothing.
import type { RequestDocument } from '../../protocol/request-document.ts'
import type { Account } from '../decisions/account.ts'
import { findStateRefusal } from '../decisions/judge-account.ts'
import { isLockoutNear } from '../decisions/judge-lockout.ts'
import { findExclusion } from '../decisions/judge-protection.ts'
import type { PolicyReading, WriterSession } from '../directory/directory.ts'
import { endExcluded } from './end-excluded.ts'
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
  if (exclusion) return endExcluded(parts, work, session, exclusion)
  const policy = await session.readPolicy(account)
  if (policy.kind === 'unreadable')
    parts.conditions.raise('policy_unreadable', document.directory, policy.problem)
  const state = stateOf(account, document, policy, session)
  return end({ outcome: 'applied' }, { ...here, account: state })
}

function stateOf(
  account: Account,
  document: InspectWork['document'],
  policy: PolicyReading,
  session: WriterSession,
) {
  return {
    objectGuid: account.objectGuid,
    refusals: refusalsOf(account, document, policy, session),
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
  account: Account,
  { actor, issuedAt }: InspectWork['document'],
  policy: PolicyReading,
  session: WriterSession,
) {
  const refusal = (operation: 'reset' | 'change' | 'unlock') =>
    findStateRefusal(account, { operation, actor, issuedAt }) ?? null
  const history = session.history === 'not_enforceable' ? 'history_not_enforceable' : null
  const isNear = policy.kind === 'read' && isLockoutNear(account, policy.policy, session.directoryNowMs())
  return {
    reset: history ?? refusal('reset'),
    change: refusal('change') ?? (isNear ? ('too_many_attempts' as const) : null),
    unlock: refusal('unlock'),
  }
}
