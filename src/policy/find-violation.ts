// Whether a password, or the time of a change, breaks what the directory asks for. Answers name the rule and tell
// nothing about the password.
import type { Blocklist } from './blocklist.ts'
import { CLASSES, CLASSES_ASKED, countClasses, type Reading } from './character-classes.ts'
import { decodeUtf8, utf16Units } from './code-points.ts'
import { containsName, type PasswordHolder } from './contains-name.ts'
import type { PasswordPolicy } from './password-policy.ts'
import type { Rule } from './rule.ts'

export type { PasswordHolder }

/** Why a password is refused, in the words of the contract. */
export type ViolationReason =
  | 'password_too_short'
  | 'password_not_complex'
  | 'password_contains_name'
  | 'password_blocklisted'
  | 'password_too_young'
  | 'password_in_history'

/** A broken rule. */
export interface Violation {
  readonly reason: ViolationReason
  readonly rule: Rule
}

/** What a password is checked against. */
export interface PasswordCheck {
  readonly policy: PasswordPolicy
  readonly holder: PasswordHolder
  readonly blocklist?: Blocklist | undefined
  /**
   * `certain`, before a write: only what the directory refuses however it counts. `explain`, after the directory
   * refused: what the rules say under their documented reading.
   */
  readonly reading: Reading
  /** The length counts bytes of UTF-8, not UTF-16 units. */
  readonly countsBytes?: boolean
}

/**
 * The first rule that a password (UTF-8) breaks, in the order length, classes, names, blocklist. The blocklist is ours, so
 * it counts the same in both readings. Bytes that are not UTF-8 break none: whoever writes the password refuses them.
 */
export function findPasswordViolation(password: Uint8Array, check: PasswordCheck): Violation | undefined {
  const points = decodeUtf8(password)
  if (points === undefined) return undefined
  try {
    const length = check.countsBytes ? password.length : undefined
    return findPolicyViolation(points, check, length) ?? findBlocklisted(password, check.blocklist)
  } finally {
    points.fill(0)
  }
}

/**
 * The violation of the minimum age by a `change` at `nowMs`. `changedAtMs` is when the password was set last, undefined
 * where it must be changed (pwdLastSet 0): then it may be, at any age. A reset knows no minimum age.
 */
export function findAgeViolation(
  policy: PasswordPolicy,
  changedAtMs: number | undefined,
  nowMs: number,
): Violation | undefined {
  if (changedAtMs === undefined || policy.minimumAgeMs === 0) return undefined
  const at = Math.ceil(changedAtMs + policy.minimumAgeMs)
  return nowMs < at ? { reason: 'password_too_young', rule: { kind: 'changeable_from', at } } : undefined
}

function findPolicyViolation(
  points: Uint32Array,
  check: PasswordCheck,
  bytes: number | undefined,
): Violation | undefined {
  const { policy, holder, reading } = check
  const length = bytes ?? points.reduce((sum, point) => sum + utf16Units(point), 0)
  if (length < policy.minimumLength) {
    return {
      reason: 'password_too_short',
      rule: { kind: 'minimum_length', characters: policy.minimumLength },
    }
  }
  if (policy.complexity && countClasses(points, reading) < CLASSES_ASKED) {
    return {
      reason: 'password_not_complex',
      rule: { kind: 'character_classes', least: CLASSES_ASKED, of: CLASSES },
    }
  }
  return policy.refusesNames && containsName(points, holder, reading)
    ? { reason: 'password_contains_name', rule: { kind: 'no_names' } }
    : undefined
}

function findBlocklisted(password: Uint8Array, blocklist: Blocklist | undefined): Violation | undefined {
  return blocklist?.has(password)
    ? { reason: 'password_blocklisted', rule: { kind: 'not_blocklisted' } }
    : undefined
}
