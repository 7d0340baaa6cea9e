// Whether an operation may be carried out on an account, by the state that the one read told.
import type { Notice, RefusalReason } from '../../protocol/codes.ts'
import type { Operation } from '../../protocol/identifiers.ts'
import type { RequestDocument } from '../../protocol/request-document.ts'
import type { Account } from './account.ts'
import type { AccountRules } from './account-rules.ts'
import { type Exclusion, findExclusion } from './judge-protection.ts'

/** What is asked, by whom and when, as far as the account's state cares. */
export interface Asked {
  readonly operation: Exclude<Operation, 'inspect'>
  readonly actor: Pick<RequestDocument['actor'], 'kind'>
  readonly issuedAt: number
}

/** The reason why the account must not be written, or undefined. Protection comes first, then scope, then state. */
export const findRefusal = (
  account: Account,
  asked: Asked,
  rules: AccountRules,
): RefusalReason | Exclusion | undefined => findExclusion(account, rules) ?? findStateRefusal(account, asked)

/** The reason that lies in the account's state alone (contract, Outcomes: states). */
export function findStateRefusal(account: Account, asked: Asked): RefusalReason | undefined {
  const { operation, actor } = asked
  // A lockout is cleared whatever else is wrong with the account.
  if (operation === 'unlock') return undefined
  if (account.smartcardRequired) return 'smartcard_required'
  // A help desk may prepare the password of an account that is to be enabled; its owner has nothing from it.
  if (operation === 'reset' && actor.kind !== 'self') return undefined
  if (account.disabled) return 'account_disabled'
  if (isAccountExpired(account, asked)) return 'account_expired'
  if (operation === 'reset') return undefined
  if (account.locked) return 'account_locked'
  return account.changeDenied === true ? 'change_not_permitted' : undefined
}

/** What is worth saying beside `applied`. `account` is the state before a reset or change, and after an unlock. */
export function noticesFor(
  account: Account,
  document: RequestDocument,
  history: 'enforced' | 'not_enforced' | 'not_enforceable',
): readonly Notice[] {
  const { operation } = document
  const notices: Notice[] = []
  const isSet = operation === 'reset' || operation === 'change'
  if (operation === 'reset') {
    if (history !== 'enforced') notices.push('history_not_enforced')
    const isIdle = account.passwordNeverExpires || account.mustChangeIsIdle === true
    if (document.options.mustChangeAtNextSignIn && isIdle) notices.push('must_change_without_effect')
  }
  if (account.disabled) notices.push('account_disabled')
  if (isAccountExpired(account, document)) notices.push('account_expired')
  if (operation === 'unlock' && account.locked) notices.push('locked_again')
  // By default a domain controller accepts the previous password for an hour after a reset, and no attribute tells.
  if (isSet && account.oldPasswordEnds !== true) notices.push('old_password_may_work')
  return notices
}

const isAccountExpired = (account: Account, { issuedAt }: Pick<Asked, 'issuedAt'>): boolean =>
  account.expiresAtMs !== undefined && account.expiresAtMs <= issuedAt
