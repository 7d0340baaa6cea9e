// The one place where a directory's refusal of a modify becomes a kind: a table over (result code, leading hex digits).
// The message text is never looked at: it differs between servers, versions and languages.
import type { LdapResult } from '../../ldap-wire/decode-response.ts'
import type { DirectoryRefusal, RefusalKind } from '../decisions/write-answer.ts'

// Win32 error codes that Active Directory puts in front of its diagnostic text (MS-ERREF §2.2).
const ACCESS_DENIED = '00000005'
const GEN_FAILURE = '0000001F'
const INVALID_PASSWORD = '00000056'
const INVALID_PARAMETER = '00000057'
const NOT_LOGGED_ON = '000004DC'
const PASSWORD_RESTRICTION = '0000052D'
const ACCOUNT_LOCKED_OUT = '00000775'
const DS_OPERATIONS_ERROR = '00002020'
const DS_UNWILLING_TO_PERFORM = '00002035'
const DS_ILLEGAL_MOD_OPERATION = '00002077'
const DS_SINGLE_VALUE_CONSTRAINT = '00002081'

const ANY = '*'

// Result codes: RFC 4511 §4.1.9. A row with hex digits wins over the row for any.
const TABLE: readonly (readonly [code: number, hex: string, kind: RefusalKind])[] = [
  // A connection that lost its bind, as after a silent reconnect: Samba, then Windows.
  [1, DS_OPERATIONS_ERROR, 'not_bound'],
  [1, NOT_LOGGED_ON, 'not_bound'],
  [3, ANY, 'busy'],
  [10, ANY, 'read_only'],
  [11, ANY, 'busy'],
  [12, ANY, 'control_unavailable'],
  [16, ANY, 'compare_failed'],
  // 19 and 53 say the same about a password: Windows answers a reset with 53, a change and Samba with 19.
  [19, PASSWORD_RESTRICTION, 'password_policy'],
  [53, PASSWORD_RESTRICTION, 'password_policy'],
  [19, INVALID_PASSWORD, 'wrong_current_password'],
  [19, ACCOUNT_LOCKED_OUT, 'account_locked'],
  [19, ACCESS_DENIED, 'missing_right'],
  // A second value for a single-valued attribute: the marker was believed absent and is not.
  [19, DS_SINGLE_VALUE_CONSTRAINT, 'compare_failed'],
  [20, ANY, 'compare_failed'],
  [21, ANY, 'malformed_value'],
  [32, ANY, 'account_not_found'],
  [34, ANY, 'malformed_value'],
  // Samba's 50 has no hex digits at all.
  [50, ANY, 'missing_right'],
  [51, ANY, 'busy'],
  [52, ANY, 'busy'],
  // No TLS, or not a quoted UTF-16 value.
  [53, GEN_FAILURE, 'malformed_value'],
  // Also what a global catalog port says to every modify.
  [53, DS_UNWILLING_TO_PERFORM, 'malformed_value'],
  [53, DS_ILLEGAL_MOD_OPERATION, 'malformed_value'],
  [80, INVALID_PARAMETER, 'malformed_value'],
  [80, ANY, 'busy'],
]

const BY_KEY = new Map(TABLE.map(([code, hex, kind]) => [`${code} ${hex}`, kind]))

const LEADING_HEX = /^([0-9A-Fa-f]{8}):/
const LONGEST_DIAGNOSTIC = 500

/** Makes a refusal of a result that is not success. What no row knows is `unexpected`, never a success. */
export function classifyRefusal(result: Pick<LdapResult, 'code' | 'diagnostic'>): DirectoryRefusal {
  const hex = LEADING_HEX.exec(result.diagnostic)?.[1]?.toUpperCase()
  const kind =
    BY_KEY.get(`${result.code} ${hex ?? ''}`) ?? BY_KEY.get(`${result.code} ${ANY}`) ?? 'unexpected'
  return { kind, code: result.code, hex, diagnostic: printable(result.diagnostic) }
}

const CONSTRAINT_VIOLATION = 19

/**
 * The refusal of a write that changes a password with the old one. Samba says of an account that may not change its
 * password: 19, without any hex digits, which means nothing of the kind anywhere else.
 */
export function ofChange(refusal: DirectoryRefusal): DirectoryRefusal {
  const isDenied = refusal.code === CONSTRAINT_VIOLATION && refusal.hex === undefined
  return isDenied ? { ...refusal, kind: 'change_not_permitted' } : refusal
}

/** A directory's text as it may be shown: no control characters, at most 500 characters. */
export function printable(diagnostic: string): string {
  return diagnostic
    .slice(0, LONGEST_DIAGNOSTIC)
    .replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]+/gu, ' ')
    .trim()
}
