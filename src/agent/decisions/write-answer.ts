// What came of one modify on the write connection.

/**
 * Why the directory said no, from the one table of its kind of directory.
 * `compare_failed`: the marker's previous value is not there (16; 20 or, on OpenLDAP, 19 when it was believed absent).
 * `password_policy`: the password was refused, the directory does not say why.
 * `change_not_permitted`: only of a change: the account may not change its password.
 * `busy`: try again. `not_bound`: the session lost its bind. `unexpected`: nothing in the table fits.
 */
export type RefusalKind =
  | 'password_policy'
  | 'wrong_current_password'
  | 'account_locked'
  | 'change_not_permitted'
  | 'account_not_found'
  | 'missing_right'
  | 'compare_failed'
  | 'control_unavailable'
  | 'read_only'
  | 'busy'
  | 'not_bound'
  | 'malformed_value'
  | 'unexpected'

/** The directory's word on a modify it did not accept. Nothing was changed. */
export interface DirectoryRefusal {
  readonly kind: RefusalKind
  /** LDAP result code. */
  readonly code: number
  /** The eight leading hex digits of the diagnostic text, upper case, when there are any. */
  readonly hex: string | undefined
  /** The directory's own text, control characters removed, at most 500 characters. */
  readonly diagnostic: string
  /** The rule that a refused password broke, where the directory names it. */
  readonly brokenRule?: 'password_too_short' | 'password_too_young' | 'password_in_history'
}

/**
 * `accepted`: the directory confirmed the write. `refused`: it said no, nothing changed.
 * `not_sent`: no byte left this process, nothing can have changed.
 * `lost`: bytes left and no answer came; what happened is not known.
 */
export type WriteAnswer =
  | { readonly kind: 'accepted' }
  | { readonly kind: 'refused'; readonly refusal: DirectoryRefusal }
  | { readonly kind: 'not_sent'; readonly cause: unknown }
  | { readonly kind: 'lost'; readonly phase: 'partly_written' | 'written'; readonly cause: unknown }

/** What the directory only says after it looked at the password: of these a user has so many. */
const JUDGED_PASSWORDS: ReadonlySet<RefusalKind> = new Set([
  'password_policy',
  'wrong_current_password',
  'account_locked',
  'change_not_permitted',
])

/**
 * True when the modify cannot have changed anything, now or later, and said nothing about a password: it was not sent, or the
 * directory was busy, read only, without the right, or the like. Such a one is no write of the account.
 */
export const isWithoutEffect = (answer: WriteAnswer): boolean =>
  answer.kind === 'not_sent' || (answer.kind === 'refused' && !JUDGED_PASSWORDS.has(answer.refusal.kind))
