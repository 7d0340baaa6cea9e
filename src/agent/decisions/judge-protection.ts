// Whether an account is protected, or outside what the agent may write. Only the configuration on premises decides.
import type { Account } from './account.ts'
import type { AccountRules } from './account-rules.ts'
import { mayBeSame } from './canonical-name.ts'
import { isWithin } from './distinguished-name.ts'

/** Why an account must not be written. `unreadable`: whether it is protected or locked cannot be told. */
export type Exclusion = 'account_protected' | 'account_out_of_scope' | 'unreadable'

/** Protection comes first, then scope. undefined: neither stands in the way. */
export function findExclusion(account: Account, rules: AccountRules): Exclusion | undefined {
  if (isProtected(account, rules)) return 'account_protected'
  if (!rules.units.some((unit) => isWithin(account.dn, unit))) return 'account_out_of_scope'
  if (account.unreadable.length > 0) return 'unreadable'
  const { groups } = account
  const isMember = rules.groups.length === 0 || rules.groups.some((group) => groups.includes(group))
  return isMember ? undefined : 'account_out_of_scope'
}

// Relative ids below 1000 belong to accounts that the system made: Administrator 500, Guest 501, krbtgt 502, and so on
// (MS-ADTS §6.1.1.6, MS-DTYP §2.4.2.4).
const SYSTEM_ACCOUNT = /^S-1-5-21-\d+-\d+-\d+-\d{1,3}$/

/**
 * Groups whose members can take over a domain, by SID (MS-DTYP §2.4.2.4), of whatever domain: the ones that AdminSDHolder
 * guards (MS-ADTS §3.1.1.6.1), and those that reach the same by another way.
 */
export const PROTECTED_GROUPS: Readonly<Record<string, RegExp>> = {
  'Enterprise Read-only Domain Controllers': domainGroup(498),
  'Domain Admins': domainGroup(512),
  'Domain Controllers': domainGroup(516),
  'Cert Publishers': domainGroup(517),
  'Schema Admins': domainGroup(518),
  'Enterprise Admins': domainGroup(519),
  'Group Policy Creator Owners': domainGroup(520),
  'Read-only Domain Controllers': domainGroup(521),
  'Protected Users': domainGroup(525),
  'Key Admins': domainGroup(526),
  'Enterprise Key Admins': domainGroup(527),
  Administrators: builtinGroup(544),
  'Account Operators': builtinGroup(548),
  'Server Operators': builtinGroup(549),
  'Print Operators': builtinGroup(550),
  'Backup Operators': builtinGroup(551),
  Replicator: builtinGroup(552),
  'Incoming Forest Trust Builders': builtinGroup(557),
  'Hyper-V Administrators': builtinGroup(578),
  'Storage Replica Administrators': builtinGroup(582),
}

function domainGroup(rid: number): RegExp {
  return new RegExp(`^S-1-5-21-\\d+-\\d+-\\d+-${rid}$`)
}
function builtinGroup(rid: number): RegExp {
  return new RegExp(`^S-1-5-32-${rid}$`)
}

function isProtected(account: Account, rules: AccountRules): boolean {
  return (
    account.adminCount ||
    account.criticalSystemObject ||
    account.objectGuid === rules.serviceAccount ||
    (account.sid !== undefined && SYSTEM_ACCOUNT.test(account.sid)) ||
    !account.ordinary ||
    account.objectClasses.includes('computer') ||
    !(rules.accountClasses ?? ['user']).some((name) => account.objectClasses.includes(name)) ||
    (rules.protectedEntries ?? []).includes(account.objectGuid) ||
    (rules.protectedAccounts ?? []).some((dn) => mayBeSame(account.dn, dn)) ||
    isPowerful(account, rules)
  )
}

// A SID of the history counts for access checks as the account's own.
const isPowerful = (account: Account, rules: AccountRules): boolean =>
  [...account.groups, ...account.sidHistory].some(
    (sid) => rules.protectedGroups.includes(sid) || isProtectedGroup(sid),
  ) || account.sidHistory.some((sid) => SYSTEM_ACCOUNT.test(sid))

const isProtectedGroup = (sid: string): boolean =>
  Object.values(PROTECTED_GROUPS).some((group) => group.test(sid))
