// The one place where slapd's refusal of a modify becomes a kind: by result code, the password policy's own error, and, where
// one code means several things, the text that names the attribute.
import { WritebackError } from '../../../errors/writeback-error.ts'
import type { LdapResult } from '../../../ldap-wire/decode-response.ts'
import type { DirectoryRefusal, RefusalKind, WriteAnswer } from '../../decisions/write-answer.ts'
import { printable } from '../classify-error.ts'
import { PPOLICY_ERROR, ppolicyErrorOf } from './ppolicy-control.ts'

/** What was sent, as far as its refusal depends on that. */
export interface SentModify {
  readonly effect: 'reset' | 'change' | 'unlock' | 'fence'
  /** A previous value of the marker was deleted. */
  readonly hadMarker: boolean
  readonly markerAttribute: string
}

/** A result with what the password policy says beside it. */
export interface PolicedResult extends Pick<LdapResult, 'code' | 'diagnostic'> {
  readonly policyError: number | undefined
}

/** Classifies a result of slapd that is not success. */
export const classifySlapdRefusal = (result: LdapResult, sent: SentModify): DirectoryRefusal =>
  readSlapdRefusal({ ...result, policyError: ppolicyErrorOf(result) }, sent)

// Result codes that mean one thing (RFC 4511 §4.1.9; 122 is RFC 4528's).
const BY_CODE: Readonly<Record<number, RefusalKind>> = {
  3: 'busy',
  // "modifications require authentication": the connection lost its bind.
  8: 'not_bound',
  10: 'read_only',
  11: 'busy',
  12: 'control_unavailable',
  17: 'malformed_value',
  // A value that was added is there, or a collision on pwdHistory: read again.
  20: 'busy',
  21: 'malformed_value',
  // The entry has another name by now, or is gone: whoever reads again by its entryUUID sees which.
  32: 'busy',
  34: 'malformed_value',
  50: 'missing_right',
  51: 'busy',
  // The class that allows the marker went meanwhile.
  65: 'busy',
  // The assertion says nothing of the marker: whoever reads again sees what changed.
  122: 'busy',
}

// What a proxy answers too when it lost its server after it had passed the modify on (slapd's back-ldap: 1, 52 and 80).
const IN_DOUBT = [1, 52, 80]

/** An answer as it may be relied on: one that a proxy may have made up says nothing of what became of the modify. */
export function reliable(answer: WriteAnswer): WriteAnswer {
  if (answer.kind !== 'refused' || !IN_DOUBT.includes(answer.refusal.code)) return answer
  const { code, diagnostic } = answer.refusal
  const why = `answered ${code} (${diagnostic}), which does not say that nothing was changed`
  const cause = new WritebackError('ERR_DIRECTORY_CLOSED', `the server ${why}`, { retry: 'later' })
  return { kind: 'lost', phase: 'written', cause }
}

const BY_POLICY_ERROR: Readonly<Record<number, RefusalKind>> = {
  [PPOLICY_ERROR.passwordModNotAllowed]: 'change_not_permitted',
  [PPOLICY_ERROR.insufficientPasswordQuality]: 'password_policy',
  [PPOLICY_ERROR.passwordTooShort]: 'password_policy',
  [PPOLICY_ERROR.passwordTooYoung]: 'password_policy',
  [PPOLICY_ERROR.passwordInHistory]: 'password_policy',
  [PPOLICY_ERROR.passwordTooLong]: 'password_policy',
}

const RULES: Readonly<Record<number, NonNullable<DirectoryRefusal['brokenRule']>>> = {
  [PPOLICY_ERROR.passwordTooShort]: 'password_too_short',
  [PPOLICY_ERROR.passwordTooYoung]: 'password_too_young',
  [PPOLICY_ERROR.passwordInHistory]: 'password_in_history',
}

/**
 * What a refusal means. `compare_failed` is kept for what proves that the marker is not what was read; every other
 * collision is `busy`: read again, a little later.
 */
export function readSlapdRefusal(result: PolicedResult, sent: SentModify): DirectoryRefusal {
  const { code, diagnostic, policyError } = result
  const brokenRule = policyError === undefined ? undefined : RULES[policyError]
  return {
    ...{ kind: kindOf(result, sent), code, hex: undefined, diagnostic: printable(diagnostic) },
    ...(brokenRule === undefined ? {} : { brokenRule }),
  }
}

const NO_SUCH_ATTRIBUTE = 16
const CONSTRAINT_VIOLATION = 19
const UNWILLING = 53

function kindOf({ code, diagnostic, policyError }: PolicedResult, sent: SentModify): RefusalKind {
  if (code === NO_SUCH_ATTRIBUTE) return isAboutMarker(diagnostic, sent) ? 'compare_failed' : 'busy'
  if (code === UNWILLING) return kindOfUnwilling(diagnostic, sent)
  if (policyError === PPOLICY_ERROR.mustSupplyOldPassword) return 'missing_right'
  const byPolicy = policyError === undefined ? undefined : BY_POLICY_ERROR[policyError]
  if (byPolicy !== undefined) return byPolicy
  if (code === CONSTRAINT_VIOLATION) return kindOfConstraint(diagnostic, sent)
  return BY_CODE[code] ?? 'unexpected'
}

/** 16 has three meanings: the marker is another, no lockout is there, or two writes met on pwdHistory. */
const isAboutMarker = (diagnostic: string, { hadMarker, markerAttribute }: SentModify): boolean =>
  hadMarker &&
  (diagnostic.includes(markerAttribute) ||
    !/\bpwd(History|AccountLockedTime|Reset)\b|userPassword/.test(diagnostic))

/** Where no control came with it, the overlay's own sentences begin with this. */
const ABOUT_PASSWORD = /^Password /

function kindOfConstraint(diagnostic: string, { hadMarker }: SentModify): RefusalKind {
  if (ABOUT_PASSWORD.test(diagnostic)) return 'password_policy'
  // A second value of the marker, which was believed absent.
  return hadMarker ? 'unexpected' : 'compare_failed'
}

function kindOfUnwilling(diagnostic: string, { effect }: SentModify): RefusalKind {
  if (/\bold password\b/.test(diagnostic) && effect === 'change') return 'wrong_current_password'
  // A consumer without an update referral, and a database that was set read-only.
  if (/^shadow context|operation restricted/.test(diagnostic)) return 'read_only'
  return 'unexpected'
}
