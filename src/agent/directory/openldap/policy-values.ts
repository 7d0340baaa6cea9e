// A password policy of slapo-ppolicy out of its entry. Intervals are whole seconds, and 0 or absence means "none" or "for
// ever", which is another thing in each attribute.
import type { Entry } from 'ldapts'
import type { EffectivePolicy } from '../../../protocol/account-state.ts'
import { textOf } from '../entry-values.ts'

/** What a read of a policy asks for. */
export const POLICY_ATTRIBUTES = [
  'pwdMinLength',
  'pwdCheckQuality',
  'pwdInHistory',
  'pwdMinAge',
  'pwdMaxAge',
  'pwdLockout',
  'pwdMaxFailure',
  'pwdLockoutDuration',
  'pwdFailureCountInterval',
  'pwdMustChange',
  'pwdAllowUserChange',
  'pwdSafeModify',
]

/** A policy with what only OpenLDAP has. */
export interface SlapdPolicy {
  readonly policy: EffectivePolicy
  /** pwdLockout: without it a lock on an account holds nobody up. */
  readonly locks: boolean
  /** pwdMustChange: without it pwdReset asks nobody for a change. */
  readonly asksForChange: boolean
  /** pwdAllowUserChange. */
  readonly allowsChange: boolean
  /** pwdSafeModify: a new password needs the old one, so no reset is possible. */
  readonly needsOldPassword: boolean
}

// pwdFailureCountInterval 0: failures count until the next good password.
const FOR_EVER_MS = 100 * 365 * 86_400_000

/** Reads a policy; the attributes that hold no such value otherwise. */
export function readSlapdPolicy(
  entry: Entry,
  form: { readonly name: string; readonly source: EffectivePolicy['source'] },
): SlapdPolicy | { readonly wrong: readonly string[] } {
  const wrong: string[] = []
  const value = <T>(attribute: string, parse: (text: string) => T | undefined, absent: T): T => {
    const text = textOf(entry, attribute)
    const parsed = text === undefined ? absent : parse(text)
    if (parsed === undefined) wrong.push(attribute)
    return parsed ?? absent
  }
  const count = (attribute: string) => value(attribute, wholeNumber, 0)
  const isTrue = (attribute: string, absent: boolean) => value(attribute, truth, absent)
  const ms = (attribute: string) => count(attribute) * 1_000
  const locks = isTrue('pwdLockout', false)
  const asked: SlapdPolicy = {
    policy: {
      ...form,
      // Quality 0 looks at nothing, also not at the length.
      minimumLength: count('pwdCheckQuality') === 0 ? 0 : count('pwdMinLength'),
      complexity: false,
      refusesNames: false,
      historyLength: count('pwdInHistory'),
      minimumAgeMs: ms('pwdMinAge'),
      maximumAgeMs: ms('pwdMaxAge') || null,
      lockoutThreshold: locks ? count('pwdMaxFailure') : 0,
      lockoutDurationMs: ms('pwdLockoutDuration') || null,
      lockoutWindowMs: ms('pwdFailureCountInterval') || FOR_EVER_MS,
    },
    locks,
    asksForChange: isTrue('pwdMustChange', false),
    allowsChange: isTrue('pwdAllowUserChange', true),
    needsOldPassword: isTrue('pwdSafeModify', false),
  }
  return wrong.length === 0 ? asked : { wrong }
}

const wholeNumber = (text: string): number | undefined => (/^\d{1,9}$/.test(text) ? Number(text) : undefined)

const truth = (text: string): boolean | undefined =>
  text === 'TRUE' ? true : text === 'FALSE' ? false : undefined
