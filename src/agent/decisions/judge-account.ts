// Whether an account may be written, by what the one read told. The on-premises configuration has the last word.
import type { Notice, RefusalReason } from '../../protocol/codes.ts'
import type { ResetDocument } from '../../protocol/request-document.ts'
import type { Account } from './account.ts'
import type { AccountRules } from './account-rules.ts'
import { isWithin } from './distinguished-name.ts'

// Well-known relative ids that are protected by what they are, whatever their attributes say: Administrator and krbtgt
// (MS-ADTS 6.1.1.6).
const PROTECTED_RID = /^S-1-5-21-\d+-\d+-\d+-(500|502)$/

/** The reason why the account must not be written, or undefined. Protection comes first, then scope, then state. */
export function findRefusal(
  account: Account,
  document: ResetDocument,
  rules: AccountRules,
): RefusalReason | undefined {
  if (isProtected(account, rules)) return 'account_protected'
  if (!rules.units.some((unit) => isWithin(account.dn, unit))) return 'account_out_of_scope'
  if (account.smartcardRequired) return 'smartcard_required'
  if (document.actor.kind !== 'self') return undefined
  if (account.disabled) return 'account_disabled'
  return isAccountExpired(account, document) ? 'account_expired' : undefined
}

/** What is worth saying beside `applied`. */
export function noticesFor(
  account: Account,
  document: ResetDocument,
  history: 'enforced' | 'not_enforced' | 'not_enforceable',
): readonly Notice[] {
  const notices: Notice[] = []
  if (history === 'not_enforced') notices.push('history_not_enforced')
  if (document.options.mustChangeAtNextSignIn && account.passwordNeverExpires)
    notices.push('must_change_without_effect')
  if (account.disabled) notices.push('account_disabled')
  if (isAccountExpired(account, document)) notices.push('account_expired')
  // By default a domain controller accepts the previous password for an hour after a reset, and no attribute tells.
  notices.push('old_password_may_work')
  return notices
}

function isProtected(account: Account, rules: AccountRules): boolean {
  return (
    account.adminCount ||
    account.criticalSystemObject ||
    account.objectGuid === rules.serviceAccount ||
    account.sid === undefined ||
    PROTECTED_RID.test(account.sid) ||
    account.objectClasses.includes('computer') ||
    !account.objectClasses.includes('user')
  )
}

const isAccountExpired = (account: Account, document: ResetDocument): boolean =>
  account.expiresAtMs !== undefined && account.expiresAtMs <= document.issuedAt
