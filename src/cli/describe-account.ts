// What an inspect found of an account, as lines for the help desk.
import type { AccountState } from '../protocol/account-state.ts'
import { REFUSAL_REASONS, type RefusalReason } from '../protocol/codes.ts'
import type { Row } from './aligned-lines.ts'
import { policyRows } from './describe-policy.ts'

const yesOrNo = (value: boolean): string => (value ? 'yes' : 'no')
const possible = (refusal: RefusalReason | null): string =>
  refusal === null ? 'possible' : `no, ${refusal}: ${REFUSAL_REASONS[refusal].meaning}`
const timeOr = (at: number | null, otherwise: string): string =>
  at === null ? otherwise : new Date(at).toISOString()

/** The state of an account as labelled rows; times are the directory's. */
export const accountRows = (account: AccountState): readonly Row[] => [
  ['reset', possible(account.refusals.reset)],
  ['change', possible(account.refusals.change)],
  ['unlock', possible(account.refusals.unlock)],
  ['locked', yesOrNo(account.locked)],
  ['disabled', yesOrNo(account.disabled)],
  ['must change', yesOrNo(account.mustChange)],
  ['smart card only', yesOrNo(account.smartcardRequired)],
  ['password changed', timeOr(account.passwordChangedAt, account.mustChange ? 'not told' : 'never')],
  ['password expires', timeOr(account.passwordExpiresAt, 'never')],
  ['account expires', timeOr(account.accountExpiresAt, 'never')],
  ['objectGUID', account.objectGuid],
  ...(account.policy ? policyRows(account.policy) : []),
  ...(account.policyProblem === null ? [] : [['policy problem', account.policyProblem] as const]),
]
